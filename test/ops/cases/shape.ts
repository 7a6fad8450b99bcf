import * as op from '../../../src/ops/index.js'
import type { Case } from '../check.js'
import { at, fill, map, nd } from '../reference.js'

const segmentIds = { shape: [5], dtype: 'int32' as const, data: [0, 2, 2, 0, 3] }

export const shapes: Case[] = [
  {
    ops: ['reshape'],
    name: 'reshape',
    inputs: [{ shape: [2, 6] }],
    build: (x) => op.reshape(x, [3, -1]),
    reference: (x) => nd([3, 4], x.data),
  },
  {
    ops: ['reshapeLike'],
    name: 'reshapeLike',
    inputs: [{ shape: [2, 6] }, { shape: [4, 3] }],
    build: op.reshapeLike,
    reference: (x, like) => nd(like.shape, x.data),
    differentiate: [0],
  },
  {
    ops: ['broadcastLike'],
    name: 'broadcastLike',
    inputs: [{ shape: [3, 1] }, { shape: [2, 3, 4] }],
    build: op.broadcastLike,
    reference: (x, like) => fill(like.shape, (index) => at(x, index)),
    differentiate: [0],
  },
  {
    ops: ['transpose'],
    name: 'transpose of six dimensions',
    inputs: [{ shape: [2, 3, 2, 1, 2, 2] }],
    build: (x) => op.transpose(x, [0, 2, 4, 1, 3, 5]),
    reference: (x) => fill([2, 2, 2, 3, 1, 2], ([a, b, c, d, e, f]) => at(x, [a, d, b, e, c, f])),
  },
  {
    ops: ['concat', 'slice'],
    name: 'concat',
    inputs: [{ shape: [2, 3] }, { shape: [2, 1] }, { shape: [2, 2] }],
    build: (...xs) => op.concat(xs, 1),
    reference: (a, b, c) =>
      fill([2, 6], ([i, j]) => (j < 3 ? at(a, [i, j]) : j < 4 ? at(b, [i, 0]) : at(c, [i, j - 4]))),
  },
  {
    ops: ['slice', 'pad'],
    name: 'slice',
    inputs: [{ shape: [3, 4, 2] }],
    build: (x) => op.slice(x, [1, 0, 1], [2, 3, -1]),
    reference: (x) => fill([2, 3, 1], ([i, j, k]) => at(x, [i + 1, j, k + 1])),
  },
  {
    ops: ['pad'],
    name: 'pad',
    inputs: [{ shape: [2, 2] }],
    build: (x) => op.pad(x, [1, 0], [0, 2]),
    reference: (x) => fill([3, 4], ([i, j]) => (i >= 1 && j < 2 ? at(x, [i - 1, j]) : 0)),
  },
  {
    ops: ['gather', 'segmentSum'],
    name: 'gather of more rows than are asked for at once',
    inputs: [
      { shape: [5, 6] },
      { shape: [70], dtype: 'int32', data: Array.from({ length: 70 }, (_, i) => (i * 3) % 5) },
    ],
    build: op.gather,
    reference: (x, ids) => fill([70, 6], ([i, k]) => at(x, [ids.data[i], k])),
  },
  {
    ops: ['gather', 'segmentSum'],
    name: 'gather with repeated ids',
    inputs: [{ shape: [4, 3] }, { shape: [2, 3], dtype: 'int32', data: [0, 3, 3, 1, 0, 3] }],
    build: op.gather,
    reference: (x, ids) => fill([2, 3, 3], ([i, j, k]) => at(x, [ids.data[i * 3 + j], k])),
  },
  {
    ops: ['segmentSum'],
    name: 'segmentSum with an empty segment',
    inputs: [{ shape: [5, 9] }, segmentIds, { shape: [4, 1] }],
    build: op.segmentSum,
    reference: (x, ids, like) =>
      fill([like.shape[0], 9], ([r, k]) =>
        ids.data.reduce((total, id, j) => total + (id === r ? at(x, [j, k]) : 0), 0),
      ),
    differentiate: [0],
  },
  {
    ops: ['segmentMax'],
    name: 'segmentMax of the segments that have rows',
    inputs: [{ shape: [5, 2] }, segmentIds, { shape: [4, 1] }],
    build: (x, ids, like) => op.maximum(op.segmentMax(x, ids, like), -9),
    reference: (x, ids, like) =>
      fill([like.shape[0], 2], ([r, k]) =>
        Math.max(-9, ...ids.data.flatMap((id, j) => (id === r ? [at(x, [j, k])] : []))),
      ),
    differentiate: [],
  },
  {
    ops: ['oneHot'],
    name: 'oneHot, zeros for an id out of range',
    inputs: [{ shape: [4], dtype: 'int32', data: [2, 0, 3, -1] }],
    build: (x) => op.oneHot(x, 3),
    reference: (ids) => fill([4, 3], ([i, j]) => +(ids.data[i] === j)),
  },
  {
    ops: ['range'],
    name: 'range',
    inputs: [{ shape: [5, 2] }],
    build: (x) => op.cast(op.range(x), 'float32'),
    reference: () => nd([5], [0, 1, 2, 3, 4]),
    differentiate: [],
  },
  {
    ops: ['block'],
    name: 'block',
    inputs: [{ shape: [2, 3] }],
    build: (x) => op.block(x, (x) => op.mul(op.exp(x), x)),
    reference: (x) => map(x, (v) => Math.exp(v) * v),
  },
  {
    ops: ['stopGradient'],
    name: 'stopGradient',
    inputs: [{ shape: [3] }],
    build: op.stopGradient,
    reference: (x) => x,
    differentiate: [],
  },
]
