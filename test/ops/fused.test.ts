/** What models are made of against the plain formulas, on shapes that fast paths get wrong first. */
import { test } from 'node:test'
import { causalMask, masked, scaledDotProduct } from '../../src/nn/attention.js'
import { targetWeights, weightedSum } from '../../src/nn/interest.js'
import { l2Normalize } from '../../src/nn/layers.js'
import { Parameters } from '../../src/nn/parameters.js'
import * as op from '../../src/ops/index.js'
import type { Tensor } from '../../src/ops/tensor.js'
import { onEachEngine } from '../engines.js'
import { sigma } from './cases/elementwise.js'
import { softmaxRow } from './cases/fused.js'
import { type Case, check } from './check.js'
import { at, erf, fill, map, type Nd, nd, rows, zip } from './reference.js'

const gelu = (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2))

const activated = [
  [1, 1],
  [1, 7],
  [5, 3],
  [65, 2],
].flatMap(([n, width]): Case[] =>
  ([op.gelu, op.quickGelu] as const).map((activation, i) => ({
    ops: ['activation'],
    name: `bias and ${['GELU', 'quick GELU'][i]} of [${n},${width}]`,
    inputs: [{ shape: [n, width] }, { shape: [width] }],
    build: (x, b) => activation(op.add(x, b)),
    reference: (x, b) => map(zip((p, q) => p + q)(x, b), i === 0 ? gelu : (v) => v * sigma(1.702 * v)),
  })),
)

const entropies = [
  [1, 1],
  [1, 5],
  [67, 3],
].map(([n, classes]): Case => {
  const labels = Array.from({ length: n }, (_, i) => (i * 7) % classes)
  return {
    ops: ['crossEntropy'],
    name: `softmax cross-entropy of [${n},${classes}]`,
    inputs: [{ shape: [n, classes] }, { shape: [n], dtype: 'int32', data: labels }],
    build: op.crossEntropy,
    reference: (x) =>
      nd(
        [n],
        labels.map((label, r) => -Math.log(softmaxRow(x.data.slice(r * classes, (r + 1) * classes))[label])),
      ),
  }
})

const norms = [
  [1, 1],
  [1, 6],
  [66, 3],
].map(
  (shape): Case => ({
    ops: ['rsqrt'],
    name: `L2-normalized [${shape}]`,
    inputs: [{ shape }],
    build: l2Normalize,
    reference: (x) => rows(x, (row) => row.map((v) => v / Math.sqrt(row.reduce((a, b) => a + b * b, 1e-12)))),
  }),
)
const zeroRow: Case = {
  ops: ['rsqrt'],
  name: 'L2-normalized zeros',
  inputs: [{ shape: [2, 2], data: [0, 0, 3, 4] }],
  build: l2Normalize,
  reference: () => nd([2, 2], [0, 0, 0.6, 0.8]),
  differentiate: [],
}

/** softmax(q kᵀ/√d) v over the positions that `sees`; all of them alike where it sees none. */
const attention =
  (sees: (query: number, key: number, row: number) => boolean) =>
  (q: Nd, k: Nd, v: Nd): Nd => {
    const [, , length, d] = q.shape
    return fill(q.shape, ([b, h, i, c]) => {
      const scores = Array.from({ length }, (_, j) => {
        if (!sees(i, j, b)) return masked
        return (
          Array.from({ length: d }, (_, e) => at(q, [b, h, i, e]) * at(k, [b, h, j, e])).reduce((x, y) => x + y) /
          Math.sqrt(d)
        )
      })
      return softmaxRow(scores).reduce((total, weight, j) => total + weight * at(v, [b, h, j, c]), 0)
    })
  }

const seen = {
  all: () => true,
  causal: (i: number, j: number) => j <= i,
  short: (_: number, j: number, b: number) => j <= b,
}
/** Row b sees its first b + 1 positions. */
const lengths = (batch: number, length: number) =>
  op.constant(
    Array.from({ length: batch * length }, (_, i) => (i % length <= Math.floor(i / length) ? 0 : -masked)),
    [batch, 1, 1, length],
  )

const attentions = [
  [1, 1, 1, 1],
  [1, 2, 5, 3],
  [3, 2, 4, 2],
].flatMap((shape): Case[] => {
  const [batch, , length] = shape
  const masks = { all: undefined, causal: causalMask(length), short: lengths(batch, length) }
  return (['all', 'causal', 'short'] as const).map((which) => ({
    ops: ['softmax'],
    name: `attention over [${shape}], seeing ${which}`,
    inputs: [{ shape }, { shape }, { shape }],
    build: (q, k, v) => scaledDotProduct(q, k, v, masks[which]),
    reference: attention(seen[which]),
  }))
})
const blind: Case = {
  ops: ['softmax'],
  name: 'attention that sees nothing',
  inputs: [{ shape: [2, 1, 3, 2] }, { shape: [2, 1, 3, 2] }, { shape: [2, 1, 3, 2] }],
  build: (q, k, v) => scaledDotProduct(q, k, v, op.constant(-masked, [1, 1, 1, 3])),
  reference: attention(() => false),
  // With scores of −1e9 float32 does not see what q and k add to them.
  differentiate: [2],
}

const hidden = 4
/** Parameters of target attention cut from DIN's own: W [hidden, 4·D] on [h, t, h − t, h ∘ t], its bias, and the output. */
function cut(W: Tensor, bias: Tensor, out: Tensor, outBias: Tensor, width: number): Parameters {
  const part = (i: number) => op.sliceAxis(W, 1, i * width, (i + 1) * width)
  const tensors = {
    '0.history.weight': op.add(part(0), part(2)),
    '0.target.weight': op.sub(part(1), part(2)),
    '0.product.weight': part(3),
    '0.bias': bias,
    'out.weight': out,
    'out.bias': outBias,
  }
  const known = Object.entries(tensors).map(
    ([name, tensor]) => [name, { name, shape: tensor.shape, init: { fill: 0 }, tensor }] as const,
  )
  return new Parameters('', new Map(known))
}

const targets = [
  { owner: [0], count: 1, width: 1 },
  { owner: [0, 0, 2, 2, 2], count: 3, width: 3 },
  { owner: Array.from({ length: 67 }, (_, i) => i % 2), count: 2, width: 2 },
  // The last two belong to nobody.
  { owner: [1, 0, 1, -1, -1], count: 2, width: 2 },
].map(
  ({ owner, count, width }): Case => ({
    ops: ['segmentSum'],
    name: `target attention of ${owner.length} behaviors for ${count} targets`,
    inputs: [
      { shape: [owner.length, width] },
      { shape: [count, width] },
      { shape: [hidden, 4 * width] },
      { shape: [hidden] },
      { shape: [1, hidden] },
      { shape: [1] },
      { shape: [owner.length], dtype: 'int32', data: owner.map((of) => of + 1) },
    ],
    build: (history, target, W, bias, out, outBias, owner) => {
      const behaviors = { history, target, owner }
      return weightedSum(targetWeights(cut(W, bias, out, outBias, width), behaviors, [hidden]), behaviors)
    },
    reference: (history, target, W, bias, out, outBias) => {
      const sums = nd([count, width], new Array<number>(count * width).fill(0))
      owner.forEach((of, n) => {
        if (of < 0) return
        const h = history.data.slice(n * width, (n + 1) * width)
        const t = target.data.slice(of * width, (of + 1) * width)
        const joint = [...h, ...t, ...h.map((x, i) => x - t[i]), ...h.map((x, i) => x * t[i])]
        let weight = outBias.data[0]
        for (let k = 0; k < hidden; k++) {
          weight += out.data[k] * sigma(joint.reduce((s, x, i) => s + x * at(W, [k, i]), bias.data[k]))
        }
        h.forEach((x, i) => {
          sums.data[of * width + i] += weight * x
        })
      })
      return sums
    },
  }),
)

await onEachEngine('fused formulas', (engine) => {
  for (const one of [...activated, ...entropies, ...norms, zeroRow, ...attentions, blind, ...targets]) {
    test(`when it is ${one.name} then value and gradient are those of the plain formula`, () =>
      check(engine, one, false))
  }
})
