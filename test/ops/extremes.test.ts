import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine } from '../../src/engine/index.js'
import { gradients } from '../../src/ops/gradients.js'
import * as op from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const floats = (shape: number[], f: (i: number) => number) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => f(i)),
})

function evaluate(engine: Engine, outputs: Record<string, op.Tensor>, feed: Record<string, ReturnType<typeof floats>>) {
  const session = engine.open({ p: program(outputs) }, [])
  const values = session.run('p', feed)
  session.dispose()
  return values
}

await onEachEngine('operations at their limits', (engine) => {
  test('when a product is large enough to be split among threads then it is that of single rows', () => {
    const [m, k, n] = [301, 129, 160]
    const a = floats([m, k], (i) => Math.sin(i))
    const b = floats([n, k], (i) => Math.cos(i * 1.7))
    const product = op.matmul(op.input('a', [m, k]), op.input('b', [n, k]), { transposeB: true })
    const { y } = evaluate(engine, { y: product }, { a, b })
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let expected = 0
        for (let l = 0; l < k; l++) expected += a.data[i * k + l] * b.data[j * k + l]
        assert.ok(Math.abs(y.data[i * n + j] - expected) < 1e-4, `[${i},${j}]: ${y.data[i * n + j]}, not ${expected}`)
      }
    }
  })

  test('when there are no rows then products and sums over them are zeros', () => {
    const rows = op.input('rows', [-1, 3])
    const outputs = {
      product: op.matmul(rows, rows, { transposeA: true }),
      none: op.matmul(rows, op.constant(1, [3, 2])),
      sum: op.sum(rows, 0),
    }
    const session = engine.open({ p: program(outputs) }, [])
    // Numbers of other runs lie about where results go.
    session.run('p', { rows: floats([3, 3], () => 7) })
    const { product, none, sum } = session.run('p', { rows: floats([0, 3], () => 0) })
    session.dispose()
    assert.deepEqual([...product.data], new Array(9).fill(0))
    assert.deepEqual(none.shape, [0, 2])
    assert.deepEqual([...sum.data], [0, 0, 0])
  })

  const far = [-1e30, -200, -90, -20, 20, 90, 200, 1e30]
  const limits = {
    sigmoid: (x: number) => (x < 0 ? 0 : 1),
    tanh: Math.sign,
    gelu: (x: number) => Math.max(x, 0),
    quickGelu: (x: number) => Math.max(x, 0),
  }
  for (const [name, limit] of Object.entries(limits)) {
    test(`when ${name} is far from 0 then it is at its limit and its slope finite`, () => {
      const x = op.input('x', [far.length])
      const y = op[name as keyof typeof limits](x)
      const [slope] = gradients(op.sum(y), [x])
      const values = evaluate(engine, { y, slope }, { x: floats([far.length], (i) => far[i]) })
      far.forEach((at, i) => {
        const error = Math.abs(values['y'].data[i] - limit(at)) / Math.max(1, Math.abs(at))
        assert.ok(error < 1e-6, `${name}(${at}) = ${values['y'].data[i]}`)
        assert.ok(Number.isFinite(values['slope'].data[i]), `slope at ${at}: ${values['slope'].data[i]}`)
      })
    })
  }
})
