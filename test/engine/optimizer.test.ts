import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Engine, Session } from '../../src/engine/index.js'
import { makeOptimizer, type OptimizerOptions } from '../../src/engine/optimizer.js'
import { input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'
import { roundingOf } from '../ops/check.js'

const rate = 0.01
const epsilon = 1e-8

/** An update rule on one number, in double precision: its move for each gradient in turn. */
type Rule = () => (gradient: number) => number

const adam: Rule = () => {
  let [m, v, t] = [0, 0, 0]
  return (g) => {
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    t++
    return (rate * m) / (1 - 0.9 ** t) / (Math.sqrt(v / (1 - 0.999 ** t)) + epsilon)
  }
}
const descent =
  (momentum: number, nesterov: boolean): Rule =>
  () => {
    let v = 0
    return (g) => {
      v = momentum * v + g
      return rate * (nesterov ? g + momentum * v : v)
    }
  }
const adagrad: Rule = () => {
  let total = 0
  return (g) => {
    total += g * g
    return (rate * g) / (Math.sqrt(total) + epsilon)
  }
}

/** Each of the steps so far rounded the value, whatever its size was then: at most about 1 or what it is now. */
function close(actual: ArrayLike<number>, expected: readonly number[], steps: number, what: string): void {
  assert.equal(actual.length, expected.length, what)
  expected.forEach((e, i) => {
    assert.ok(
      Math.abs(actual[i] - e) <= roundingOf(steps, Math.max(1, Math.abs(e))),
      `${what}[${i}]: ${actual[i]}, expected ${e}`,
    )
  })
}

const numbers = (count: number, ...names: (string | number)[]) => {
  const random = Random.of(...names)
  return Float32Array.from({ length: count }, () => random.normal())
}
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** A session whose program `train` applies the gradients that are fed as `g` to one parameter `w`. */
function openDense(engine: Engine, shape: number[], options: OptimizerOptions) {
  const optimizer = makeOptimizer([{ name: 'w', shape, gradient: input('g', shape) }], [], options)
  const variables = [{ name: 'w', shape, dtype: 'float32' as const }, ...optimizer.variables]
  return { optimizer, session: engine.open({ train: program({}, optimizer.effects) }, variables) }
}

/** As `openDense`, but for the rows `ids` of a table `t`. */
function openTable(engine: Engine, shape: number[], options: OptimizerOptions, l2 = 0) {
  const lookups = [{ ids: input('ids', [-1], 'int32'), gradient: input('g', [-1, shape[1]]) }]
  const optimizer = makeOptimizer([], [{ name: 't', shape, lookups, l2 }], options)
  const variables = [{ name: 't', shape, dtype: 'float32' as const, table: true }, ...optimizer.variables]
  const session = engine.open({ train: program({}, optimizer.effects) }, variables)
  const step = (at: number, ids: number[], g: Float32Array) =>
    session.run('train', {
      ids: { data: Int32Array.from(ids), shape: [ids.length] },
      g: { data: g, shape: [ids.length, shape[1]] },
      ...optimizer.inputs(at, rate),
    })
  return { session, step }
}

/** Starts all rows but the padding with random values and returns them all. */
function fillTable(session: Session, shape: number[]): number[] {
  const values = numbers(sizeOf(shape), 'table').fill(0, 0, shape[1])
  session.write('t', values)
  return Array.from(values)
}

const dense: [string, OptimizerOptions, Rule][] = [
  ['adam', { optimizer: 'adam' }, adam],
  ['sgd', { optimizer: 'sgd' }, descent(0.9, false)],
  ['sgd without momentum', { optimizer: 'sgd', momentum: 0 }, descent(0, false)],
  ['nesterov', { optimizer: 'nesterov' }, descent(0.9, true)],
  ['adagrad', { optimizer: 'adagrad' }, adagrad],
]

/** Batches of ids in a table of five rows: duplicates, padding among others, padding alone, none, one row. */
const batches = [[1, 3, 1, 0], [0, 0], [], [2], [4, 4, 4, 1, 0], [3]]

await onEachEngine('optimizers', (engine) => {
  for (const [name, options, rule] of dense) {
    for (const [decay, factor] of [
      [0, 1],
      [0.5, 3],
    ]) {
      test(`when ${name} steps with decay ${decay} and rate factor ${factor} then each value is that of its rule`, () => {
        for (const shape of [[], [1], [2, 3]]) {
          const group = () => ({ rateFactor: factor, weightDecay: decay })
          const { session, optimizer } = openDense(engine, shape, { ...options, group })
          const start = numbers(sizeOf(shape), 'start')
          session.write('w', start)
          const expected = Array.from(start)
          const moves = expected.map(() => rule())
          for (let at = 0; at < 5; at++) {
            const g = numbers(start.length, 'gradient', at)
            session.run('train', { g: { data: g, shape }, ...optimizer.inputs(at, rate) })
            expected.forEach((w, i) => {
              expected[i] = w * (1 - rate * factor * decay) - factor * moves[i](g[i])
            })
            close(session.read('w'), expected, at + 1, `step ${at} of [${shape}]`)
          }
          session.dispose()
        }
      })
    }
  }

  for (const l2 of [0, 0.3]) {
    test(`when lazy Adam steps on a table with L2 ${l2} then touched rows alone move, by the rule`, () => {
      checkTable(engine, 'adam', l2, (width) => {
        const [m, v] = [new Float64Array(width), new Float64Array(width)]
        return (g, step) => {
          // The bias correction counts steps of the program, not visits of the row.
          const at = step + 1
          return g.map((x, i) => {
            m[i] = 0.9 * m[i] + 0.1 * x
            v[i] = 0.999 * v[i] + 0.001 * x * x
            return (rate * m[i]) / (1 - 0.9 ** at) / (Math.sqrt(v[i] / (1 - 0.999 ** at)) + epsilon)
          })
        }
      })
    })

    test(`when Adagrad steps on a table with L2 ${l2} then touched rows alone move, by the rule`, () => {
      checkTable(engine, 'adagrad', l2, (width) => {
        const moves = Array.from({ length: width }, adagrad)
        return (g) => g.map((x, i) => moves[i](x))
      })
    })

    test(`when row-wise Adagrad steps with L2 ${l2} then a row's values share one accumulator`, () => {
      checkTable(engine, 'rowwise-adagrad', l2, (width) => {
        let total = 0
        return (g) => {
          total += g.reduce((sum, x) => sum + x * x, 0) / width
          return g.map((x) => (rate * x) / (Math.sqrt(total) + epsilon))
        }
      })
    })
  }

  test('when the gradients together are longer than the limit then all shrink by the same factor', () => {
    const optimizer = makeOptimizer(
      ['a', 'b'].map((name) => ({ name, shape: [1], gradient: input(name, [1]) })),
      [],
      { optimizer: 'sgd', momentum: 0, clipNorm: 1 },
    )
    const variables = ['a', 'b'].map((name) => ({ name, shape: [1], dtype: 'float32' as const }))
    const session = engine.open({ train: program({}, optimizer.effects) }, variables)
    const one = (x: number) => ({ data: Float32Array.of(x), shape: [1] })
    session.run('train', { a: one(3), b: one(4), ...optimizer.inputs(0, 1) })
    close([...session.read('a'), ...session.read('b')], [-0.6, -0.8], 1, 'clipped')
    session.run('train', { a: one(0.3), b: one(0.4), ...optimizer.inputs(1, 1) })
    close([...session.read('a'), ...session.read('b')], [-0.9, -1.2], 2, 'short enough')
    session.dispose()
  })
})

/** Holds a table's updates against `makeRule`, which gives each row a rule from summed gradients to moves. */
function checkTable(
  engine: Engine,
  tableOptimizer: OptimizerOptions['tableOptimizer'],
  l2: number,
  makeRule: (width: number) => (gradient: number[], step: number) => number[],
): void {
  for (const shape of [
    [5, 3],
    [5, 1],
  ]) {
    const [rows, width] = shape
    const { session, step } = openTable(engine, shape, { tableOptimizer }, l2)
    const expected = fillTable(session, shape)
    const rules = Array.from({ length: rows }, () => makeRule(width))
    batches.forEach((ids, at) => {
      const g = numbers(ids.length * width, 'rows', at)
      step(at, ids, g)
      for (const id of new Set(ids.filter((one) => one > 0))) {
        const row = expected.slice(id * width, (id + 1) * width)
        const summed = row.map((w, i) => ids.reduce((sum, one, j) => sum + (one === id ? g[j * width + i] : 0), l2 * w))
        rules[id](summed, at).forEach((move, i) => {
          expected[id * width + i] -= move
        })
      }
      const actual = session.read('t')
      close(actual, expected, at + 1, `step ${at} of [${shape}]`)
      assert.deepEqual([...actual.slice(0, width)], new Array(width).fill(0), 'the padding row')
    })
    session.dispose()
  }
}
