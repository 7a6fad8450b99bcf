/** One operation against a plain double-precision reference: value, and gradient by central differences. */
import assert from 'node:assert/strict'
import type { Engine } from '../../src/engine/index.js'
import { gradients } from '../../src/ops/gradients.js'
import * as op from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import type { OpName, Tensor } from '../../src/ops/tensor.js'
import { type Nd, nd, sizeOf } from './reference.js'

export interface Case {
  /** Operations that this case covers. */
  ops: OpName[]
  name: string
  inputs: { shape: number[]; dtype?: 'float32' | 'int32' | 'bool'; data?: number[]; positive?: boolean }[]
  build: (...inputs: Tensor[]) => Tensor
  reference: (...inputs: Nd[]) => Nd
  /** Inputs whose gradient is checked; default: all float inputs. */
  differentiate?: number[]
}

/** Values that keep clear of kinks (0, equal pairs), the same on every run. */
export function values(shape: number[], salt: number, positive = false): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453
    const u = x - Math.floor(x)
    return positive ? 0.5 + 2 * u : (u < 0.5 ? -1 : 1) * (0.1 + 2 * Math.abs(u - 0.5) * 1.7)
  })
}

const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

export function close(actual: ArrayLike<number>, expected: readonly number[], tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`)
  expected.forEach((e, i) => {
    assert.ok(
      Math.abs(actual[i] - e) <= tolerance * Math.max(1, Math.abs(e)),
      `${what}[${i}]: ${actual[i]}, expected ${e}`,
    )
  })
}

/** Unit roundoff of float32: half the distance from 1 to the next number. */
const unit = 2 ** -24
/** Roundings on the way through one operation: kernels approximate exp, tanh and erf to some 4 units, with a product around them. */
const roundings = 8
/** Relative change of the inputs by which condition is measured: small against the values, large against double rounding. */
const nudge = 1e-4

/**
 * How far a float32 may be from the exact number after a sum of `terms` terms, or as many steps after one another:
 * c·√terms·u·size, see `expectation`. `size`: of the number, and what it loses by a relative change of its inputs.
 */
export const roundingOf = (terms: number, size: number) => roundings * Math.sqrt(terms) * unit * size

/** d y_j / d x_i of the double-precision reference by central differences: [inputs of `which`][elements i][outputs j]. */
function jacobian({ reference }: Case, inputs: readonly Nd[], which: readonly number[]): number[][][] {
  const step = 1e-5
  return which.map((k) => {
    const { shape, data } = inputs[k]
    return data.map((value, i) => {
      const moved = (by: number) => reference(...inputs.with(k, nd(shape, data.with(i, value + by)))).data
      const [above, below] = [moved(step), moved(-step)]
      return above.map((y, j) => (y - below[j]) / (2 * step))
    })
  })
}

/** The longest sums in value and gradient: inputs that one output depends on, and outputs that depend on one input. */
function longestSum(derivatives: readonly number[][][], outputs: number): number {
  const elements = derivatives.flat()
  const used = (row: readonly number[]) => row.filter((d) => d !== 0).length
  const inputsOfOutput = Array.from({ length: outputs }, (_, j) => used(elements.map((row) => row[j])))
  return Math.max(1, ...inputsOfOutput) + Math.max(0, ...elements.map(used))
}

/** Numbers that a run must give, and how far from each float32 may be. */
export interface Expected {
  data: number[]
  tolerance: number[]
}

const known = new WeakMap<Case, { shape: number[]; value: Expected; seed: number[]; gradients: Expected[] }>()

export const differentiated = (one: Case) =>
  one.differentiate ?? one.inputs.flatMap(({ dtype = 'float32' }, i) => (dtype === 'float32' ? [i] : []))

/**
 * Value y and gradients d Σ y·seed / dx of the double-precision reference, with error bounds for float32.
 *
 * A sum of n terms in any order, by any number of lanes and threads, makes n roundings, each at most u = 2⁻²⁴ of a
 * partial sum. Partial sums are as large as the result plus the root of the squares of the terms; roundings are
 * independent of mean 0, so that n of them add up to √n (Higham & Mary 2019, doi:10.1137/18M1226312). In general the
 * terms are what the result loses by a relative change of its inputs, since a rounding is such a change: we change all
 * of them by ±`nudge` and take the largest difference in units of `nudge`. Hence
 *
 *     |ŷ − y| ≤ c·√n·u·(max(1, |y|) + change), c = `roundings`
 *
 * where 1 stands for intermediates of the size of the inputs that cancel, as in 1 + erf(x).
 */
export function expectation(one: Case, inputs: readonly Nd[]) {
  const found = known.get(one)
  if (found) return found
  const which = differentiated(one)
  const { shape, data } = one.reference(...inputs)
  const seed = values(shape, 99).map(Math.fround)
  const numbers = (at: readonly Nd[], derivatives = jacobian(one, at, which)) => [
    one.reference(...at).data,
    ...derivatives.map((rows) => rows.map((row) => row.reduce((total, d, j) => total + d * seed[j], 0))),
  ]
  const derivatives = jacobian(one, inputs, which)
  const exact = numbers(inputs, derivatives)
  const nudged = [7, 8].map((salt) => {
    const moved = (x: Nd, i: number) =>
      which.includes(i)
        ? nd(
            x.shape,
            values(x.shape, salt + i).map((s, j) => x.data[j] * (1 + nudge * Math.sign(s))),
          )
        : x
    return numbers(inputs.map(moved))
  })
  const terms = longestSum(derivatives, data.length)
  const [value, ...gradients] = exact.map((data, k): Expected => {
    const change = Math.max(...nudged.flatMap((other) => other[k].map((x, i) => Math.abs(x - data[i]) / nudge)), 0)
    return { data, tolerance: data.map((x) => roundingOf(terms, Math.max(1, Math.abs(x)) + change)) }
  })
  const all = { shape, value, seed, gradients }
  known.set(one, all)
  return all
}

export function within(actual: ArrayLike<number>, { data, tolerance }: Expected, what: string): void {
  assert.equal(actual.length, data.length, `${what}: length`)
  data.forEach((e, i) => {
    assert.ok(
      Math.abs(actual[i] - e) <= tolerance[i],
      `${what}[${i}]: ${actual[i]}, expected ${e} to ${tolerance[i].toExponential(1)}`,
    )
  })
}

/** Input nodes of a case with their numbers; the first dimension may be one that is known only at run time. */
export function feeds(one: Case, unknownDimensions: boolean) {
  const nodes = one.inputs.map(({ shape, dtype }, i) =>
    op.input(`x${i}`, unknownDimensions && shape.length > 1 ? [-1, ...shape.slice(1)] : shape, dtype ?? 'float32'),
  )
  const data = one.inputs.map((x, i) => nd(x.shape, Float32Array.from(x.data ?? values(x.shape, i, x.positive))))
  const fed = Object.fromEntries(
    data.map((x, i) => [`x${i}`, { shape: x.shape, data: new arrayOf[one.inputs[i].dtype ?? 'float32'](x.data) }]),
  )
  return { nodes, data, fed }
}

export const usedInputs = (one: Case, nodes: Tensor[]) => new Set(program({ y: one.build(...nodes) }).inputs.keys())

/** `unknownDimensions`: the first dimension of matrices is known only when the program runs. */
export function check(engine: Engine, one: Case, unknownDimensions: boolean): void {
  const { nodes, data, fed } = feeds(one, unknownDimensions)
  const { shape, value, seed, gradients: slopes } = expectation(one, data)
  const y = one.build(...nodes)
  const which = differentiated(one)
  const grads = gradients(
    y,
    which.map((i) => nodes[i]),
    { seed: op.input('seed', y.shape) },
  )
  const outputs = Object.fromEntries(grads.map((g, i) => [`g${i}`, g]))

  const session = engine.open({ forward: program({ y }), backward: program(outputs) }, [])
  const { y: actual } = session.run('forward', fed)
  assert.deepEqual([...actual.shape], shape)
  within(actual.data, value, 'value')
  if (grads.length > 0) {
    const result = session.run('backward', { ...fed, seed: { shape, data: Float32Array.from(seed) } })
    which.forEach((i, k) => {
      assert.deepEqual([...result[`g${k}`].shape], data[i].shape)
      within(result[`g${k}`].data, slopes[k], `gradient of input ${i}`)
    })
  }
  session.dispose()
}
