import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
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

  test('when variables are read one after another with writes and runs between then each read is the latest', () => {
    const double = program({}, [op.assign('b', op.mul(op.variable('b', [2]), 2))])
    const session = engine.open({ double }, [spec('a', [1]), spec('b', [2]), spec('c', [])])
    session.write('a', Float32Array.of(1))
    session.write('b', Float32Array.of(2, 3))
    session.write('a', Float32Array.of(5))
    assert.deepEqual([...session.read('a'), ...session.read('b')], [5, 2, 3])
    session.read('a')
    session.run('double')
    assert.deepEqual([...session.read('b'), ...session.read('c')], [4, 6, 0])
    session.write('c', Float32Array.of(9))
    assert.deepEqual([...session.read('c'), ...session.read('b'), ...session.read('b')], [9, 4, 6, 4, 6])
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

  test('when a variable follows another then it moves towards the value that earlier effects left', () => {
    const w = op.variable('w', [2])
    const effects = [op.assign('w', op.mul(w, 2)), op.emaUpdate('mean', 'w', op.input('keep', []))]
    const session = engine.open({ train: program({ before: op.mul(w, 1) }, effects) }, [
      spec('w', [2]),
      spec('mean', [2]),
    ])
    session.write('w', Float32Array.of(1, -3))
    session.write('mean', Float32Array.of(10, 10))
    session.run('train', { keep: scalar(0.75) })
    close(session.read('mean'), [0.75 * 10 + 0.25 * 2, 0.75 * 10 - 0.25 * 6])
    session.run('train', { keep: scalar(0) })
    close(session.read('mean'), [4, -12])
    session.dispose()
  })

  test('when rows of an int8 table are looked up then they are the stored numbers times the scale', () => {
    const ids = op.input('ids', [-1], 'int32')
    const rows = op.lookup('t', 3, ids, 0.5)
    const table: VariableSpec = { name: 't', shape: [4, 3], dtype: 'int8', table: true }
    const session = engine.open({ look: program({ rows: op.mul(rows, 1) }) }, [table])
    session.write('t', Int8Array.of(127, -127, 0, 1, -1, 3), 2)
    const look = (...which: number[]) => [...session.run('look', { ids: ints(...which) })['rows'].data]
    assert.deepEqual(look(3, 0, 2, 3), [0.5, -0.5, 1.5, 0, 0, 0, 63.5, -63.5, 0, 0.5, -0.5, 1.5])
    assert.deepEqual(look(), [])
    assert.deepEqual(session.read('t', 2, 3), Int8Array.of(127, -127, 0))
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

  test('when a variable was assigned an input then it does not hold on to the memory of that input', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const names = ['a', 'b', 'c', 'd']
    const takes = names.map((name) => [name, program({}, [op.assign(name, op.input('x', [64]))])] as const)
    const session = engine.open(
      Object.fromEntries(takes),
      names.map((name) => spec(name, [64])),
    )
    // Views at all offsets of 16 bytes, for an engine may take over memory that lies as it likes it.
    const arrays = names.map((name, i) => {
      const data = new Float32Array(new ArrayBuffer(512), i * 16, 64).fill(i)
      session.run(name, { x: { data, shape: [64] } })
      return new WeakRef(data)
    })
    for (let i = 0; i < 3; i++) {
      await setTimeout(5)
      collect()
    }
    assert.deepEqual(
      arrays.map((array) => array.deref()),
      [undefined, undefined, undefined, undefined],
    )
    assert.equal(session.read('d')[63], 3)
    session.dispose()
  })
})
