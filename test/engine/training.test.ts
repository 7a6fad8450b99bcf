import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Engine, Session } from '../../src/engine/index.js'
import { makeTraining, type Training, type TrainingOptions } from '../../src/engine/training.js'
import { binaryCrossEntropy } from '../../src/losses/binary.js'
import { linear } from '../../src/nn/layers.js'
import { Parameters } from '../../src/nn/parameters.js'
import { concat, input, lookup, mul, reshape } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const [vocabulary, width] = [6, 2]

/** A click model of two features that share one table, opened with first values from a seed. */
function open(engine: Engine, options: TrainingOptions): { training: Training; session: Session } {
  const p = new Parameters()
  const ids = ['a', 'b'].map((name) => input(name, [-1], 'int32'))
  const lookups = ids.map((id) => ({ ids: id, rows: lookup('table', width, id) }))
  const model = (from: Parameters) =>
    reshape(
      linear(
        from.scope('out'),
        concat(
          lookups.map(({ rows }) => rows),
          1,
        ),
        1,
      ),
      [-1],
    )
  const loss = binaryCrossEntropy(model(p), input('label', [-1]))
  const table = { name: 'table', shape: [vocabulary, width], lookups, l2: 0.1 }
  const training = makeTraining(loss, p, [table], options)
  const logits = program({ logits: mul(model(training.evaluated), 1) })
  const session = engine.open({ ...training.programs, logits }, [...training.state, ...training.scratch])
  const random = Random.of('training')
  for (const { name, shape } of p.list()) {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal())
    training.start(session, name, values)
  }
  const rows = Float32Array.from({ length: (vocabulary - 1) * width }, () => random.normal())
  session.write('table', rows, 1)
  return { training, session }
}

const rows: [a: number, b: number, label: number][] = [
  [1, 2, 1],
  [2, 2, 0],
  [0, 1, 1],
  [3, 1, 0],
  [5, 0, 1],
]

function part(chosen: typeof rows) {
  const ints = (column: number) => ({ data: Int32Array.from(chosen, (row) => row[column]), shape: [chosen.length] })
  const label = { data: Float32Array.from(chosen, (row) => row[2]), shape: [chosen.length] }
  return { inputs: { a: ints(0), b: ints(1), label }, rows: chosen.length }
}

const everything = (session: Session, { state }: Training) =>
  state.map(({ name }) => [name, session.read(name)] as const)

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what)
  for (let i = 0; i < actual.length; i++) {
    assert.ok(Math.abs(actual[i] - expected[i]) < 1e-6, `${what}[${i}]: ${actual[i]}, expected ${expected[i]}`)
  }
}

await onEachEngine('training', (engine) => {
  for (const tableOptimizer of ['adam', 'rowwise-adagrad'] as const) {
    test(`when a batch comes in uneven parts then steps with ${tableOptimizer} are those of the whole`, () => {
      const options = { tableOptimizer, clipNorm: 0.1, ema: 0.9, group: () => ({ weightDecay: 0.1 }) }
      const whole = open(engine, options)
      const parted = open(engine, { ...options, accumulate: 3 })
      for (let at = 0; at < 4; at++) {
        const a = whole.training.step(whole.session, [part(rows)], at, 0.05)
        const parts = [rows.slice(0, 2), rows.slice(2, 4), rows.slice(4)].map(part)
        const b = parted.training.step(parted.session, parts, at, 0.05)
        close([b], [a], 'loss')
      }
      const expected = everything(whole.session, whole.training)
      everything(parted.session, parted.training).forEach(([name, values], i) => {
        assert.equal(name, expected[i][0])
        close(values, expected[i][1], name)
      })
      whole.session.dispose()
      parted.session.dispose()
    })
  }

  test('when two features share a table then a row learns from both, as central differences say', () => {
    const { training, session } = open(engine, { tableOptimizer: 'adagrad' })
    const start = session.read('table').slice()
    const lossAt = (values: Float32Array) => {
      session.write('table', values)
      const { data } = session.run('logits', part(rows).inputs)['logits']
      return rows.reduce((sum, [, , label], i) => sum + Math.log1p(Math.exp(data[i])) - label * data[i], 0) / 5
    }
    const slopes = Array.from(start, (value, i) => {
      const at = (by: number) => lossAt(Float32Array.from(start).fill(value + by, i, i + 1))
      return (at(1e-2) - at(-1e-2)) / 2e-2
    })
    session.write('table', start)
    training.step(session, [part(rows)], 0, 0.05)
    const squares = session.read('adagrad.sum/table')
    const touched = new Set(rows.flatMap((row) => row.slice(0, 2)).filter((id) => id > 0))
    slopes.forEach((slope, i) => {
      const isTouched = touched.has(Math.floor(i / width))
      const expected = isTouched ? (slope + 0.1 * start[i]) ** 2 : 0
      assert.ok(Math.abs(squares[i] - expected) < 1e-4, `[${i}]: ${squares[i]}, expected ${expected}`)
    })
    session.dispose()
  })

  test('when an average is kept then it follows the parameters from their start, and is what is evaluated', () => {
    const { training, session } = open(engine, { ema: 0.5 })
    const name = 'out.weight'
    const average = Array.from(session.read(name))
    for (let at = 0; at < 6; at++) {
      training.step(session, [part(rows)], at, 0.1)
      const keep = Math.min(0.5, (1 + at) / (10 + at))
      session.read(name).forEach((w, i) => {
        average[i] = keep * average[i] + (1 - keep) * w
      })
      close(session.read(`ema.${name}`), average, `step ${at}`)
    }
    const logits = () => [...session.run('logits', part(rows).inputs)['logits'].data]
    const before = logits()
    session.write(name, new Float32Array(2 * width))
    assert.deepEqual(logits(), before)
    session.write(`ema.${name}`, new Float32Array(2 * width))
    assert.notDeepEqual(logits(), before)
    session.dispose()
  })
})
