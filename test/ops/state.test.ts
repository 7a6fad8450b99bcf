import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VariableSpec } from '../../src/engine/index.js'
import * as op from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const floats = (...data: number[]) => ({ data: Float32Array.from(data), shape: [data.length] })
const ints = (...data: number[]) => ({ data: Int32Array.from(data), shape: [data.length] })
const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] })
const spec = (name: string, shape: number[], table = false): VariableSpec => ({ name, shape, dtype: 'float32', table })

function close(actual: ArrayLike<number>, expected: number[], tolerance = 1e-6): void {
  assert.equal(actual.length, expected.length)
  for (const [i, e] of expected.entries()) {
    assert.ok(Math.abs(actual[i] - e) < tolerance, `[${i}]: ${actual[i]}, expected ${e}`)
  }
}

const adamNames = { variable: 'w', m: 'm', v: 'v', beta1: 0.9, beta2: 0.999 }
const step = () => ({ rate: op.input('rate', []), epsilon: op.input('epsilon', []) })

/** Adam as the paper writes it, on one number: the values after each gradient. */
function adamByHand(start: number, gradients: number[], { rate = 0.1, decay = 0, epsilon = 1e-8 } = {}): number[] {
  let [w, m, v] = [start, 0, 0]
  return gradients.map((g, i) => {
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    const mHat = m / (1 - 0.9 ** (i + 1))
    const vHat = v / (1 - 0.999 ** (i + 1))
    w = w * (1 - rate * decay) - (rate * mHat) / (Math.sqrt(vHat) + epsilon)
    return w
  })
}

const corrected = (t: number, rate = 0.1) => {
  const root = Math.sqrt(1 - 0.999 ** t)
  return { rate: scalar((rate * root) / (1 - 0.9 ** t)), epsilon: scalar(1e-8 * root) }
}

await onEachEngine('variables', (engine) => {
  test('when a program reads and assigns a variable then the read sees the value before', () => {
    const w = op.variable('w', [2])
    const double = program({ before: op.mul(w, 1) }, [op.assign('w', op.mul(w, 2))])
    const session = engine.open({ double }, [spec('w', [2])])
    assert.deepEqual([...session.read('w')], [0, 0])
    session.write('w', Float32Array.of(1, 3))
    assert.deepEqual([...session.run('double')['before'].data], [1, 3])
    assert.deepEqual([...session.run('double')['before'].data], [2, 6])
    assert.deepEqual([...session.read('w')], [4, 12])
    session.dispose()
  })

  test('when an array was written then later updates of the variable leave it alone', () => {
    const session = engine.open({ zero: program({}, [op.assign('w', op.constant(0, [64]))]) }, [spec('w', [64])])
    const mine = new Float32Array(64).fill(7)
    session.write('w', mine)
    session.run('zero')
    assert.equal(mine[63], 7)
    assert.equal(session.read('w')[63], 0)
    session.dispose()
  })

  test('when rows of a table are written, looked up and assigned then others stay', () => {
    const ids = op.input('ids', [-1], 'int32')
    const table = spec('t', [5, 2], true)
    const programs = {
      look: program({ rows: op.lookup('t', 2, ids) }),
      set: program({}, [op.assignRows('t', ids, op.input('rows', [-1, 2]))]),
    }
    const session = engine.open(programs, [table])
    session.write('t', Float32Array.of(1, 2, 3, 4), 3)
    session.run('set', { ids: ints(0), rows: { data: Float32Array.of(9, 8), shape: [1, 2] } })
    assert.deepEqual([...session.run('look', { ids: ints(4, 0, 3, 4) })['rows'].data], [3, 4, 9, 8, 1, 2, 3, 4])
    assert.deepEqual([...session.read('t', 2, 4)], [0, 0, 1, 2])
    session.dispose()
  })

  test('when Adam steps, with and without decay, then the values are those of the paper', () => {
    for (const decay of [0, 0.5]) {
      const gradient = op.input('g', [2])
      const w = op.variable('w', [2])
      const update = op.adam(adamNames, gradient, step(), decay ? op.input('decay', []) : undefined)
      const session = engine.open(
        { train: program({ w: op.mul(w, 1) }, [update]) },
        ['w', 'm', 'v'].map((n) => spec(n, [2])),
      )
      session.write('w', Float32Array.of(1, -2))
      const gradients = [
        [0.5, -1],
        [0.1, 3],
        [-2, 0],
      ]
      gradients.forEach((g, i) => {
        session.run('train', { g: floats(...g), ...corrected(i + 1), ...(decay ? { decay: scalar(0.1 * decay) } : {}) })
        const expected = [1, -2].map(
          (start, k) =>
            adamByHand(
              start,
              gradients.slice(0, i + 1).map((x) => x[k]),
              { decay },
            ).at(-1)!,
        )
        // TensorFlow forms 1 − β₂ in float32, which is off by 5e-5 of itself.
        close(session.read('w'), expected, 1e-5)
      })
      session.dispose()
    }
  })

  test('when lazy Adam steps on rows then equal ids add up, others and the padding row keep still', () => {
    const ids = op.input('ids', [-1], 'int32')
    const update = op.adamRows({ ...adamNames, l2: 0 }, ids, op.input('g', [-1, 1]), step())
    const session = engine.open(
      { train: program({}, [update]) },
      ['w', 'm', 'v'].map((n) => spec(n, [4, 1], true)),
    )
    session.write('w', Float32Array.of(0, 1, 2, 3))
    const gradients = { data: Float32Array.of(1, 0.25, 1, 0.5), shape: [4, 1] }
    session.run('train', { ids: ints(0, 1, 3, 1), g: gradients, ...corrected(1) })
    close(session.read('w'), [0, adamByHand(1, [0.75])[0], 2, adamByHand(3, [1])[0]])
    close(session.read('m', 1, 2), [0.075])
    session.dispose()
  })

  test('when lazy Adam has an L2 penalty then it is added to the gradient of touched rows', () => {
    const ids = op.input('ids', [-1], 'int32')
    const update = op.adamRows({ ...adamNames, l2: 0.1 }, ids, op.input('g', [-1, 1]), step())
    const session = engine.open(
      { train: program({}, [update]) },
      ['w', 'm', 'v'].map((n) => spec(n, [3, 1], true)),
    )
    session.write('w', Float32Array.of(0, 5, 5))
    session.run('train', { ids: ints(1), g: { data: Float32Array.of(0.2), shape: [1, 1] }, ...corrected(1) })
    close(session.read('m'), [0, 0.1 * 0.7, 0])
    close(session.read('w'), [0, 4.9, 5])
    session.dispose()
  })

  test('when Adagrad steps on rows then squares add up', () => {
    const ids = op.input('ids', [-1], 'int32')
    const attrs = { variable: 'w', accumulator: 'a', epsilon: 1e-10, l2: 0 }
    const update = op.adagradRows(attrs, ids, op.input('g', [-1, 2]), op.input('rate', []))
    const session = engine.open(
      { train: program({}, [update]) },
      ['w', 'a'].map((n) => spec(n, [3, 2], true)),
    )
    session.write('w', Float32Array.of(0, 0, 1, 1, 2, 2))
    const feed = { ids: ints(0, 2), g: { data: Float32Array.of(1, 1, 3, 4), shape: [2, 2] }, rate: scalar(0.5) }
    session.run('train', feed)
    close(session.read('w'), [0, 0, 1, 1, 1.5, 1.5])
    session.run('train', feed)
    close(session.read('w', 2), [1.5 - 0.5 / Math.SQRT2, 1.5 - 0.5 / Math.SQRT2])
    session.dispose()
  })

  test('when uniform numbers are drawn then they fill [0, 1), repeat with the seed and differ by salt', () => {
    const like = op.input('like', [-1])
    const seed = op.input('seed', [2], 'int32')
    const session = engine.open({ draw: program({ a: op.uniform(like, seed, 1), b: op.uniform(like, seed, 2) }) }, [])
    const draw = (s: number) => session.run('draw', { like: floats(...new Array(20000).fill(0)), seed: ints(s, 5) })
    const first = draw(3)
    const [a, b] = [Array.from(first['a'].data), Array.from(first['b'].data)]
    const mean = a.reduce((x, y) => x + y, 0) / a.length
    const square = a.reduce((x, y) => x + y * y, 0) / a.length
    assert.ok(Math.abs(mean - 0.5) < 0.01 && Math.abs(square - 1 / 3) < 0.01, `mean ${mean}, square ${square}`)
    assert.ok(a.every((x) => x >= 0 && x < 1))
    const correlation = a.reduce((t, x, i) => t + (x - 0.5) * (b[i] - 0.5), 0) / a.length
    assert.ok(Math.abs(correlation) < 0.003, `salts correlate: ${correlation}`)
    assert.deepEqual([...draw(3)['a'].data], a)
    assert.notDeepEqual([...draw(4)['a'].data], a)
    session.dispose()
  })

  test('when a program runs again and again then no tensor is left over', () => {
    const w = op.variable('w', [3])
    const x = op.input('x', [-1, 3])
    const grads = op.layerNorm(op.add(x, w), w, w, 1e-5)
    const p = program({ y: op.sum(op.softmax(grads)) }, [op.assign('w', op.mean(x, 0))])
    const session = engine.open({ p }, [spec('w', [3])])
    const feed = { x: { data: new Float32Array(6).fill(2), shape: [2, 3] } }
    session.run('p', feed)
    const before = session.liveTensors()
    for (let i = 0; i < 5; i++) session.run('p', feed)
    assert.equal(session.liveTensors(), before)
    session.dispose()
  })

  test('when an input is missing then the error names program and input', () => {
    const session = engine.open({ p: program({ y: op.exp(op.input('x', [1])) }) }, [])
    assert.throws(() => session.run('p', {}), /program 'p' needs input 'x'/)
    session.dispose()
  })
})
