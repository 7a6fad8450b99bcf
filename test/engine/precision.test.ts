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

/** Unit roundoffs of bfloat16 (8 significant bits) and float32 (24): half the distance from 1 to the next number. */
const [unit, unitOfSums] = [2 ** -8, 2 ** -24]

/** Losses of some steps that teach a transformer to return its input, and a weight after them. */
function train(engine: Engine, precision: Precision): { losses: number[]; weight: Float32Array } {
  const p = new Parameters()
  const x = input('x', [-1, length, width])
  const loss = mean(square(sub(preNormTransformer(p, x, shape), x)))
  const training = makeTraining(loss, p, [], {})
  const session = engine.open(training.programs, training.state, precision)
  for (const one of p.list()) training.start(session, one.name, initialValues({ ...one, init: { std: 0.2 } }, 1))
  const random = Random.of('x')
  const data = Float32Array.from({ length: rows * length * width }, () => random.normal())
  const part = { inputs: { x: { data, shape: [rows, length, width] } }, rows }
  const losses = Array.from({ length: 6 }, (_, i) => training.step(session, [part], i, 1e-2))
  const weight = session.read(p.list().find(({ shape }) => shape.length === 2)!.name) as Float32Array
  session.dispose()
  return { losses, weight }
}

/** Whether bfloat16 has the number: the lower half of its float32 is 0. */
const isBf16 = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] % 2 ** 16 === 0

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

test('when a precision is chosen by name then nothing is measured', async () => {
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
    test('when bf16 is chosen then it is refused, and auto is fp32', async () => {
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
  test('when a product is bf16 then its sums are float32', () => {
    const [m, k, n] = [9, 256, 7]
    const random = Random.of('product')
    // Multiples of 1/32 below 8 have 8 significant bits: rounding the operands changes nothing.
    const numbers = (count: number) => Float32Array.from({ length: count }, () => Math.trunc(random.normal() * 32) / 32)
    const [a, b] = [numbers(m * k), numbers(n * k)]
    const product = matmul(input('a', [m, k]), input('b', [n, k]), { transposeB: true })
    const session = engine.open({ y: program({ y: product }) }, [], 'bf16')
    const { y } = session.run('y', { a: { data: a, shape: [m, k] }, b: { data: b, shape: [n, k] } })
    session.dispose()
    y.data.forEach((actual, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      const terms = Array.from({ length: k }, (_, l) => a[i * k + l] * b[j * k + l])
      const [exact, absolute] = [terms.reduce((x, t) => x + t), terms.reduce((x, t) => x + Math.abs(t), 0)]
      // k roundings of sums, each of at most Σ|terms|; the result is rounded, or truncated where the processor has no
      // bfloat16: then it is off by up to 2u. Sums in bfloat16 would be off by some √k·u·|partial sum|.
      const bound = 2 * unit * Math.abs(exact) + k * unitOfSums * absolute
      assert.ok(Math.abs(actual - exact) <= bound, `[${i},${j}]: ${actual}, expected ${exact} to ${bound}`)
      assert.ok(isBf16(actual), `[${i},${j}]: ${actual}`)
    })
  })

  test('when products are bf16 then losses are those of fp32 but for rounding, and weights keep float32', () => {
    const { losses: single } = train(engine, 'fp32')
    const { losses: half, weight } = train(engine, 'bf16')
    // The output less the input is the sum of the branches. A layer norm precedes each branch, so that only its own
    // products scale it: three in a row in attention (values, weighted sum, output), two in the network. Each may be
    // truncated, by up to 2u. Errors of operands are rounded, hence of mean 0, and average out over the sums. The loss
    // is a square: 2 · 3 · 2u of it. Training follows its own losses and does not add to that.
    const bound = 2 * 3 * 2 * unit
    single.forEach((loss, i) => {
      assert.ok(Math.abs(half[i] - loss) < bound * loss, `step ${i}: ${half[i]}, in fp32 ${loss} to ${bound}`)
    })
    assert.notDeepEqual(half, single)
    assert.ok(single[5] < 0.9 * single[0])
    assert.ok(!weight.every(isBf16))
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
