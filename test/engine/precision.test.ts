import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { UserError } from '../../src/base/errors.js'
import { Random } from '../../src/base/random.js'
import type { Engine, Session } from '../../src/engine/index.js'
import { inPrecision } from '../../src/engine/precision.js'
import { initialValues } from '../../src/engine/state.js'
import { makeTraining } from '../../src/engine/training.js'
import { Parameters } from '../../src/nn/parameters.js'
import { preNormTransformer } from '../../src/nn/transformer.js'
import { gradients } from '../../src/ops/gradients.js'
import { input, matmul, mean, type Precision, square, sub, sum } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const silent = () => {}
const shape = { layers: 2, heads: 2, hidden: 32, activation: 'gelu', epsilon: 1e-5 }
const [rows, length, width] = [8, 5, 16]

/** Losses of some steps that teach a transformer to give back what it gets. */
function losses(engine: Engine, precision: Precision): number[] {
  const p = new Parameters()
  const x = input('x', [-1, length, width])
  const loss = mean(square(sub(preNormTransformer(p, x, shape), x)))
  const training = makeTraining(loss, p, [], {})
  const session = engine.open(training.programs, training.state, precision)
  for (const one of p.list()) training.start(session, one.name, initialValues({ ...one, init: { std: 0.2 } }, 1))
  const random = Random.of('x')
  const data = Float32Array.from({ length: rows * length * width }, () => random.normal())
  const part = { inputs: { x: { data, shape: [rows, length, width] } }, rows }
  const found = Array.from({ length: 6 }, (_, i) => training.step(session, [part], i, 1e-2))
  session.dispose()
  return found
}

/** An engine that only passes time, so many milliseconds a product, and notes what it opens. */
function clocked(milliseconds: Record<Precision, number>) {
  const opened: Precision[] = []
  const engine: Engine = {
    name: 'tensorflow',
    device: 'cpu',
    description: 'a clock',
    open(_programs, _variables, precision = 'fp32') {
      opened.push(precision)
      const run = () => {
        const until = performance.now() + milliseconds[precision]
        while (performance.now() < until);
        return {}
      }
      return { run, dispose() {} } as Partial<Session> as Session
    },
  }
  return { engine, opened }
}

for (const [fastest, milliseconds] of [
  ['bf16', { fp32: 8, bf16: 2 }],
  ['fp32', { fp32: 2, bf16: 8 }],
] as const) {
  test(`when ${fastest} is measured to be faster then auto takes it, and does so again when the run resumes`, async () => {
    const file = join(folder, `${fastest}.json`)
    const first = clocked(milliseconds)
    ;(await inPrecision(first.engine, 'auto', file, silent)).open({}, [])
    assert.equal(first.opened.at(-1), fastest)
    const resumed = clocked({ fp32: milliseconds.bf16, bf16: milliseconds.fp32 })
    ;(await inPrecision(resumed.engine, 'auto', file, silent)).open({}, [])
    assert.deepEqual(resumed.opened, [fastest])
  })
}

test('when a precision is asked for by name then nothing is measured', async () => {
  for (const precision of ['fp32', 'bf16'] as const) {
    const { engine, opened } = clocked({ fp32: 0, bf16: 0 })
    const file = join(folder, 'named.json')
    ;(await inPrecision(engine, precision, file, silent)).open({}, [])
    assert.deepEqual(opened, [precision])
    assert.ok(!existsSync(file))
  }
})

await onEachEngine('precision', (engine) => {
  if (engine.name === 'wasm') {
    test('when bf16 is asked of it then it refuses, and auto is fp32', async () => {
      const programs = { one: program({ y: sum(input('x', [2])) }) }
      const opened = await inPrecision(engine, 'bf16', join(folder, 'wasm.json'), silent)
      assert.throws(
        () => opened.open(programs, []),
        (error: UserError) => error.id === 'precision',
      )
      const auto = await inPrecision(engine, 'auto', join(folder, 'wasm.json'), silent)
      auto.open(programs, []).dispose()
    })
    return
  }
  test('when products are bf16 then losses are those of fp32 to 1 %, and weights keep float32', () => {
    const single = losses(engine, 'fp32')
    const half = losses(engine, 'bf16')
    single.forEach((loss, i) => {
      assert.ok(Math.abs(half[i] - loss) < 0.01 * loss, `step ${i}: ${half[i]}, in fp32 ${loss}`)
    })
    assert.notDeepEqual(half, single)
    assert.ok(single[5] < 0.9 * single[0])
  })

  test('when a product is exact then bf16 leaves it and its gradient alone', () => {
    const x = input('x', [2, 2])
    const data = Float32Array.of(1.0001, 2.0003, 3.0007, 4.0009)
    const run = (exact: boolean, precision: Precision) => {
      const y = matmul(x, x, { exact, transposeB: true })
      const session = engine.open({ y: program({ y, g: gradients(sum(y), [x])[0] }) }, [], precision)
      const { y: value, g } = session.run('y', { x: { data, shape: [2, 2] } })
      session.dispose()
      return [...value.data, ...g.data]
    }
    assert.deepEqual(run(true, 'bf16'), run(true, 'fp32'))
    assert.notDeepEqual(run(false, 'bf16'), run(false, 'fp32'))
  })
})
