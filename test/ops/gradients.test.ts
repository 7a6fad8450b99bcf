import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Engine } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import { Parameters } from '../../src/nn/parameters.js'
import { postNormTransformer, preNormTransformer } from '../../src/nn/transformer.js'
import { gradients } from '../../src/ops/gradients.js'
import * as op from '../../src/ops/index.js'
import { constant, input, mean, mul, square, sum, type Tensor, uniform, variable } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const shape = { layers: 3, heads: 2, hidden: 12, activation: 'quick_gelu', epsilon: 1e-5 }
const [rows, length, width] = [3, 5, 8]
const mask = () =>
  constant(
    Float32Array.from({ length }, (_, i) => (i < 4 ? 0 : 1e9)),
    [1, 1, 1, length],
  )

const networks: Record<string, (p: Parameters, x: Tensor) => Tensor> = {
  'pre-norm': (p, x) => preNormTransformer(p, x, shape),
  'post-norm': (p, x) => postNormTransformer(p, x, shape, { mask: mask() }),
  // The seed's numbers must be those of the first time.
  dropout: (p, x) =>
    op.block(x, (x) => {
      const stays = op.cast(op.greaterEqual(uniform(x, constant([3, 4], [2], 'int32'), 7), 0.5), 'float32')
      return mul(mul(x, stays), p.get('gain', [width], { std: 1 }))
    }),
}

/** Gradients of the mean square of a network's output, by parameter and with respect to its input. */
function gradientsOf(engine: Engine, network: keyof typeof networks, recompute: boolean) {
  const p = new Parameters()
  const x = input('x', [-1, length, width])
  const loss = mean(square(networks[network](p, x)))
  const parameters = p.list()
  const found = gradients(loss, [x, ...parameters.map(({ tensor }) => tensor)], { recompute })
  const outputs = Object.fromEntries(found.map((g, i) => [String(i), g]))
  const variables = parameters.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }))
  const session = engine.open({ gradients: program({ loss, ...outputs }) }, variables)
  for (const one of parameters) session.write(one.name, initialValues({ ...one, init: { std: 0.5 } }, 1))
  const random = Random.of('x')
  const data = Float32Array.from({ length: rows * length * width }, () => random.normal())
  const result = session.run('gradients', { x: { data, shape: [rows, length, width] } })
  session.dispose()
  return ['input', ...parameters.map(({ name }) => name)].map((name, i) => ({ name, ...result[String(i)] }))
}

await onEachEngine('recomputation', (engine) => {
  for (const network of Object.keys(networks)) {
    test(`when blocks are computed again then the gradients are those of ${network} blocks that were kept`, () => {
      const kept = gradientsOf(engine, network, false)
      const again = gradientsOf(engine, network, true)
      kept.forEach(({ name, data, shape }, i) => {
        assert.deepEqual([name, [...again[i].shape]], [name, [...shape]])
        const size = Math.hypot(...data)
        const gap = Math.hypot(...Array.from(data, (v, j) => v - again[i].data[j]))
        assert.ok(gap <= 1e-6 * size, `${name}: ${gap} of ${size}`)
      })
      assert.ok(kept.some(({ data }) => Math.hypot(...data) > 0.01))
    })
  }
})

test('when a block is computed again then nothing of the first time is needed on the way back', () => {
  const w = variable('w', [width, width])
  const x = input('x', [rows, width])
  let inside: Tensor[] = []
  const y = op.block(x, (x) => {
    const product = op.matmul(x, w)
    const squashed = op.tanh(product)
    inside = [product, squashed]
    return op.matmul(squashed, w)
  })
  const nodesOf = (recompute: boolean) =>
    new Set(program({ g: gradients(sum(square(y)), [w], { recompute })[0] }).nodes)
  const [product, squashed] = inside
  assert.ok(nodesOf(false).has(squashed))
  const nodes = nodesOf(true)
  const readers = [...nodes].filter((n) => n.inputs.includes(squashed))
  // The forward pass alone reads it: the loss needs y.
  assert.deepEqual(
    readers.map((n) => n.id < y.id),
    [true],
  )
  assert.equal([...nodes].filter((n) => n.inputs.includes(product)).length, 1)
})
