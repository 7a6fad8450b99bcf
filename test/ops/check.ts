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
  const expected = one.reference(...data)
  const y = one.build(...nodes)
  const seed = op.input('seed', y.shape)
  const which = one.differentiate ?? one.inputs.flatMap((x, i) => ((x.dtype ?? 'float32') === 'float32' ? [i] : []))
  const grads = gradients(
    y,
    which.map((i) => nodes[i]),
    { seed },
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
