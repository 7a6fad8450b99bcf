import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import type { Engine } from '../../src/engine/index.js'
import { gradients } from '../../src/ops/gradients.js'
import * as op from '../../src/ops/index.js'
import { exportOnnx } from '../../src/ops/onnx/index.js'
import { program } from '../../src/ops/program.js'
import type { OpName, Tensor } from '../../src/ops/tensor.js'
import { openModel } from '../../src/runtime/model.js'
import { onEachEngine } from '../engines.js'
import { at, erf, fill, map, type Nd, nd, reduce, rows, sizeOf, zip } from './reference.js'

interface Case {
  /** Operations that this case covers. */
  ops: OpName[]
  name: string
  inputs: { shape: number[]; dtype?: 'float32' | 'int32' | 'bool'; data?: number[]; positive?: boolean }[]
  build: (...inputs: Tensor[]) => Tensor
  reference: (...inputs: Nd[]) => Nd
  /** Inputs whose gradient is checked; default: all float inputs. */
  differentiate?: number[]
}

const sigma = (x: number) => 1 / (1 + Math.exp(-x))
const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length
const softmaxRow = (row: number[]) => {
  const e = row.map((x) => Math.exp(x - Math.max(...row)))
  const total = e.reduce((a, b) => a + b, 0)
  return e.map((x) => x / total)
}

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
  inputs: [{ shape: [4, 7] }],
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

const reduction = (name: 'sum' | 'mean' | 'max', f: (xs: number[]) => number): Case[] =>
  (
    [
      [[3, 4], [1], false],
      [[3, 4], [0], true],
      [[2, 3, 4], [1], true],
      [[2, 3, 4], [0, 2], false],
      [[2, 3, 4], [0, 1, 2], false],
      [[1, 1], [0], false],
    ] as const
  ).map(([shape, axes, keepDims]) => ({
    ops: [name, 'broadcastLike', ...(name === 'mean' ? (['count'] as const) : [])],
    name: `${name} of [${shape}] over [${axes}]${keepDims ? ' keeping dims' : ''}`,
    inputs: [{ shape: [...shape] }],
    build: (x) => op[name](x, axes, keepDims),
    reference: (x) => reduce(x, [...axes], keepDims, f),
  }))

function product(a: Nd, b: Nd, transposeA: boolean, transposeB: boolean): Nd {
  const rank = a.shape.length
  const [m, k] = transposeA ? [a.shape[rank - 1], a.shape[rank - 2]] : a.shape.slice(-2)
  const n = transposeB ? b.shape[rank - 2] : b.shape[rank - 1]
  return fill([...a.shape.slice(0, -2), m, n], (index) => {
    const lead = index.slice(0, -2)
    const [i, j] = index.slice(-2)
    let total = 0
    for (let l = 0; l < k; l++) {
      total += at(a, [...lead, ...(transposeA ? [l, i] : [i, l])]) * at(b, [...lead, ...(transposeB ? [j, l] : [l, j])])
    }
    return total
  })
}

const products: Case[] = [
  { a: [3, 4], b: [4, 5] },
  { a: [4, 3], b: [4, 5], transposeA: true },
  { a: [3, 4], b: [5, 4], transposeB: true },
  { a: [4, 3], b: [5, 4], transposeA: true, transposeB: true },
  { a: [2, 3, 3, 4], b: [2, 3, 4, 2] },
  { a: [5, 4, 3], b: [5, 2, 4], transposeA: true, transposeB: true },
  { a: [1, 1, 7], b: [1, 7, 1] },
].map(({ a, b, transposeA = false, transposeB = false }) => ({
  ops: ['matmul'],
  name: `matmul [${a}]${transposeA ? 'ᵀ' : ''} × [${b}]${transposeB ? 'ᵀ' : ''}`,
  inputs: [{ shape: a }, { shape: b }],
  build: (x, y) => op.matmul(x, y, { transposeA, transposeB }),
  reference: (x, y) => product(x, y, transposeA, transposeB),
}))

const segmentIds = { shape: [5], dtype: 'int32' as const, data: [0, 2, 2, 0, 3] }

const cases: Case[] = [
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
  ...reduction('sum', (xs) => xs.reduce((a, b) => a + b, 0)),
  ...reduction('mean', mean),
  ...reduction('max', (xs) => Math.max(...xs)),
  ...products,
  {
    ops: ['argMax'],
    name: 'argMax, the first of equals',
    inputs: [{ shape: [3, 4], data: [1, 5, 5, 0, -1, -2, -3, -4, 0, 0, 0, 9] }],
    build: (x) => op.cast(op.argMax(x, 1), 'float32'),
    reference: () => nd([3], [1, 0, 3]),
    differentiate: [],
  },
  {
    ops: ['argMax'],
    name: 'argMax of whole numbers',
    inputs: [{ shape: [2, 3], dtype: 'int32', data: [0, 1, 1, 1, 0, 0] }],
    build: (x) => op.cast(op.argMax(x, -1), 'float32'),
    reference: () => nd([2], [1, 0]),
  },
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
    name: 'gather with repeated ids',
    inputs: [{ shape: [4, 3] }, { shape: [2, 3], dtype: 'int32', data: [0, 3, 3, 1, 0, 3] }],
    build: op.gather,
    reference: (x, ids) => fill([2, 3, 3], ([i, j, k]) => at(x, [ids.data[i * 3 + j], k])),
  },
  {
    ops: ['segmentSum'],
    name: 'segmentSum with an empty segment',
    inputs: [{ shape: [5, 2] }, segmentIds, { shape: [4, 1] }],
    build: op.segmentSum,
    reference: (x, ids, like) =>
      fill([like.shape[0], 2], ([r, k]) =>
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
  {
    ops: ['stopGradient'],
    name: 'stopGradient',
    inputs: [{ shape: [3] }],
    build: op.stopGradient,
    reference: (x) => x,
    differentiate: [],
  },
]

/** Values that keep clear of kinks (0, equal pairs), the same on every run. */
function values(shape: number[], salt: number, positive = false): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453
    const u = x - Math.floor(x)
    return positive ? 0.5 + 2 * u : (u < 0.5 ? -1 : 1) * (0.1 + 2 * Math.abs(u - 0.5) * 1.7)
  })
}

const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`)
  expected.forEach((e, i) => {
    assert.ok(
      Math.abs(actual[i] - e) <= tolerance * Math.max(1, Math.abs(e)),
      `${what}[${i}]: ${actual[i]}, expected ${e}`,
    )
  })
}

/** d Σ f(x)·seed / dx by central differences of the double-precision reference. */
function finiteDifferences({ reference }: Case, inputs: Nd[], which: number, seed: number[]): number[] {
  const step = 1e-5
  const objective = (moved: Nd) => {
    const y = reference(...inputs.map((x, i) => (i === which ? moved : x)))
    return y.data.reduce((total, v, i) => total + v * seed[i], 0)
  }
  return inputs[which].data.map((value, i) => {
    const moved = (by: number) => nd(inputs[which].shape, inputs[which].data.with(i, value + by))
    return (objective(moved(step)) - objective(moved(-step))) / (2 * step)
  })
}

/** Input nodes of a case with their numbers; the first dimension may be one that is known only at run time. */
function feeds(one: Case, unknownDimensions: boolean) {
  const nodes = one.inputs.map(({ shape, dtype }, i) =>
    op.input(`x${i}`, unknownDimensions && shape.length > 1 ? [-1, ...shape.slice(1)] : shape, dtype ?? 'float32'),
  )
  const data = one.inputs.map((x, i) => nd(x.shape, Float32Array.from(x.data ?? values(x.shape, i, x.positive))))
  const fed = Object.fromEntries(
    data.map((x, i) => [`x${i}`, { shape: x.shape, data: new arrayOf[one.inputs[i].dtype ?? 'float32'](x.data) }]),
  )
  return { nodes, data, fed }
}

const usedInputs = (one: Case, nodes: Tensor[]) => new Set(program({ y: one.build(...nodes) }).inputs.keys())

function check(engine: Engine, one: Case, unknownDimensions: boolean): void {
  const { nodes, data, fed } = feeds(one, unknownDimensions)
  const expected = one.reference(...data)
  const y = one.build(...nodes)
  const seed = op.input('seed', y.shape)
  const which = one.differentiate ?? one.inputs.flatMap((x, i) => ((x.dtype ?? 'float32') === 'float32' ? [i] : []))
  const grads = gradients(
    y,
    which.map((i) => nodes[i]),
    seed,
  )
  const outputs = Object.fromEntries(grads.map((g, i) => [`g${i}`, g]))

  const session = engine.open({ forward: program({ y }), backward: program(outputs) }, [])
  const { y: actual } = session.run('forward', fed)
  assert.deepEqual([...actual.shape], expected.shape)
  close(actual.data, expected.data, 2e-6, 'value')

  const seedData = values(expected.shape, 99)
  if (grads.length > 0) {
    const result = session.run('backward', {
      ...fed,
      seed: { shape: expected.shape, data: Float32Array.from(seedData) },
    })
    which.forEach((i, k) => {
      assert.deepEqual([...result[`g${k}`].shape], data[i].shape)
      close(result[`g${k}`].data, finiteDifferences(one, data, i, seedData), 2e-5, `gradient of input ${i}`)
    })
  }
  session.dispose()
}

await onEachEngine('operations', (engine) => {
  for (const one of cases) {
    test(`${one.name}: value and gradient`, () => check(engine, one, false))
  }
  for (const one of cases) {
    const [first] = one.inputs
    if (one.inputs.length > 2 || first.shape.length < 2 || one.ops.includes('concat') || one.ops.includes('pad'))
      continue
    if (one.name.startsWith('reduce')) continue
    test(`${one.name}: rows known only at run time`, () => check(engine, one, true))
  }
})

/** Operations that only training has. */
const trainingOnly: OpName[] = ['crossEntropy']

describe('operations (onnx)', () => {
  for (const one of cases.filter((c) => !c.ops.some((name) => trainingOnly.includes(name)))) {
    test(`${one.name}: value`, async () => {
      const { nodes, data, fed } = feeds(one, true)
      const path = join(mkdtempSync(join(tmpdir(), 'mim-onnx-')), 'model.onnx')
      exportOnnx(path, program({ y: one.build(...nodes) }), () => new Float32Array())
      const model = await openModel(path, { provider: 'cpu' }, () => {})
      const expected = one.reference(...data)
      const { y } = await model.run(
        Object.fromEntries(Object.entries(fed).filter(([name]) => usedInputs(one, nodes).has(name))),
      )
      assert.deepEqual([...y.shape], expected.shape)
      close(y.data, expected.data, 2e-6, 'value')
      await model.close()
      rmSync(dirname(path), { recursive: true })
    })
  }
})

describe('operations', () => {
  test('every operation is checked here or, where it has to do with variables, in state.test or optimizer.test', () => {
    const state: OpName[] = [
      'input',
      'variable',
      'lookup',
      'uniform',
      'assign',
      'assignRows',
      'follow',
      'adam',
      'adagrad',
      'sgd',
      'adamRows',
      'adagradRows',
    ]
    const covered = new Set([...cases.flatMap((c) => c.ops), ...state])
    const all: Record<OpName, true> = {
      constant: true,
      input: true,
      variable: true,
      lookup: true,
      neg: true,
      exp: true,
      log: true,
      sqrt: true,
      rsqrt: true,
      floor: true,
      cast: true,
      activation: true,
      activationGrad: true,
      add: true,
      sub: true,
      mul: true,
      div: true,
      maximum: true,
      minimum: true,
      greater: true,
      greaterEqual: true,
      equal: true,
      logicalAnd: true,
      logicalNot: true,
      select: true,
      matmul: true,
      sum: true,
      mean: true,
      max: true,
      argMax: true,
      count: true,
      reshape: true,
      reshapeLike: true,
      broadcastLike: true,
      transpose: true,
      concat: true,
      slice: true,
      pad: true,
      gather: true,
      segmentSum: true,
      segmentMax: true,
      oneHot: true,
      range: true,
      softmax: true,
      softmaxGrad: true,
      layerNorm: true,
      layerNormGrad: true,
      crossEntropy: true,
      uniform: true,
      stopGradient: true,
      part: true,
      assign: true,
      assignRows: true,
      follow: true,
      adam: true,
      adagrad: true,
      sgd: true,
      adamRows: true,
      adagradRows: true,
    }
    assert.deepEqual(
      Object.keys(all).filter((name) => !covered.has(name as OpName)),
      [],
    )
  })

  test('when shapes do not fit then the error names both operands', () => {
    const a = op.input('a', [2, 3])
    const b = op.input('b', [4, 5])
    assert.throws(() => op.matmul(a, b), /matmul: shapes do not fit: input#\d+\[2,3\] and input#\d+\[4,5\]/)
    assert.throws(() => op.add(a, b), /add: shapes do not broadcast/)
  })
})
