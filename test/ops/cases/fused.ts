import * as op from '../../../src/ops/index.js'
import type { Case } from '../check.js'
import { nd, rows } from '../reference.js'
import { mean } from './matrix.js'

export const softmaxRow = (row: number[]) => {
  const e = row.map((x) => Math.exp(x - Math.max(...row)))
  const total = e.reduce((a, b) => a + b, 0)
  return e.map((x) => x / total)
}

export const fused: Case[] = [
  {
    ops: ['softmax', 'softmaxGrad'],
    name: 'softmax',
    inputs: [{ shape: [2, 3, 5] }],
    build: op.softmax,
    reference: (x) => rows(x, softmaxRow),
  },
  ...[
    [2, 3, 6],
    [1, 1],
    [4, 1, 8],
  ].map(
    (shape): Case => ({
      ops: ['layerNorm', 'layerNormGrad', 'part'],
      name: `layerNorm of [${shape}]`,
      inputs: [{ shape }, { shape: [shape[shape.length - 1]] }, { shape: [shape[shape.length - 1]] }],
      build: (x, gamma, beta) => op.layerNorm(x, gamma, beta, 0.05),
      reference: (x, gamma, beta) =>
        rows(x, (row) => {
          const variance = mean(row.map((v) => (v - mean(row)) ** 2))
          return row.map((v, i) => ((v - mean(row)) / Math.sqrt(variance + 0.05)) * gamma.data[i] + beta.data[i])
        }),
    }),
  ),
  {
    ops: ['crossEntropy', 'part'],
    name: 'crossEntropy',
    inputs: [{ shape: [3, 4] }, { shape: [3], dtype: 'int32', data: [3, 0, 1] }],
    build: op.crossEntropy,
    reference: (x, labels) =>
      nd(
        [3],
        labels.data.map((label, r) => -Math.log(softmaxRow(x.data.slice(r * 4, r * 4 + 4))[label])),
      ),
  },
]
