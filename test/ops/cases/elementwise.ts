import * as op from '../../../src/ops/index.js'
import type { OpName, Tensor } from '../../../src/ops/tensor.js'
import type { Case } from '../check.js'
import { erf, map, zip } from '../reference.js'

export const sigma = (x: number) => 1 / (1 + Math.exp(-x))

const unary = (
  name: OpName & keyof typeof op,
  f: (x: number) => number,
  options: { positive?: boolean; differentiate?: number[] } = {},
): Case => ({
  ops: [name],
  name,
  inputs: [{ shape: [3, 5], positive: options.positive }],
  build: op[name] as (x: Tensor) => Tensor,
  reference: (x) => map(x, f),
  differentiate: options.differentiate,
})

const activation = (
  name: 'relu' | 'sigmoid' | 'tanh' | 'softplus' | 'gelu' | 'geluTanh' | 'quickGelu',
  f: (x: number) => number,
): Case => ({
  ops: ['activation', 'activationGrad'],
  name,
  inputs: [{ shape: [3, 7] }],
  build: op[name],
  reference: (x) => map(x, f),
})

type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum' | 'greater' | 'greaterEqual' | 'equal'

const binary = (name: BinaryName, f: (a: number, b: number) => number, differentiate?: number[]): Case[] =>
  [
    [
      [3, 4],
      [3, 4],
    ],
    [[2, 3, 4], [4]],
    [
      [2, 1, 4],
      [3, 1],
    ],
    [[], [2, 2]],
    [
      [1, 5],
      [1, 1],
    ],
  ].map(([a, b]) => ({
    ops: [name],
    name: `${name} [${a}] with [${b}]`,
    inputs: [{ shape: a }, { shape: b, positive: name === 'div' }],
    build: (x, y) => op.cast(op[name](x, y), 'float32'),
    reference: zip(f),
    differentiate,
  }))

export const elementwise: Case[] = [
  unary('neg', (x) => -x),
  unary('exp', Math.exp),
  unary('log', Math.log, { positive: true }),
  unary('sqrt', Math.sqrt, { positive: true }),
  unary('rsqrt', (x) => 1 / Math.sqrt(x), { positive: true }),
  unary('floor', Math.floor, { differentiate: [] }),
  activation('relu', (x) => Math.max(x, 0)),
  activation('sigmoid', sigma),
  activation('tanh', Math.tanh),
  activation('softplus', (x) => Math.log1p(Math.exp(x))),
  activation('gelu', (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  activation('geluTanh', (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  activation('quickGelu', (x) => x * sigma(1.702 * x)),
  ...binary('add', (a, b) => a + b),
  ...binary('sub', (a, b) => a - b),
  ...binary('mul', (a, b) => a * b),
  ...binary('div', (a, b) => a / b),
  ...binary('maximum', Math.max),
  ...binary('minimum', Math.min),
  ...binary('greater', (a, b) => +(a > b), []),
  ...binary('greaterEqual', (a, b) => +(a >= b), []),
  ...binary('equal', (a, b) => +(a === b), []),
  {
    ops: ['logicalAnd', 'logicalNot', 'cast'],
    name: 'a and not b',
    inputs: [
      { shape: [4], dtype: 'bool', data: [0, 0, 1, 1] },
      { shape: [4], dtype: 'bool', data: [0, 1, 0, 1] },
    ],
    build: (a, b) => op.cast(op.logicalAnd(a, op.logicalNot(b)), 'float32'),
    reference: zip((a, b) => +(a === 1 && b === 0)),
  },
  {
    ops: ['select'],
    name: 'select with broadcasting',
    inputs: [{ shape: [3, 1], dtype: 'bool', data: [1, 0, 1] }, { shape: [3, 4] }, { shape: [4] }],
    build: (c, a, b) => op.select(c, a, b),
    reference: zip((c, a, b) => (c ? a : b)),
  },
  {
    ops: ['select', 'constant'],
    name: 'select against a number',
    inputs: [{ shape: [2, 2], dtype: 'bool', data: [1, 0, 0, 1] }, { shape: [2, 2] }],
    build: (c, a) => op.select(c, a, -1),
    reference: zip((c, a) => (c ? a : -1)),
  },
]
