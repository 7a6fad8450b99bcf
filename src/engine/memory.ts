/** The memory of a session, estimated from below before it is taken. */
import { existsSync } from 'node:fs'
import { requireMemory } from '../base/capacity.js'
import { executionOrder, type Program } from '../ops/program.js'
import type { Precision, Shape, Tensor, VariableType } from '../ops/tensor.js'
import type { VariableSpec } from './session.js'

const bytesOf: Record<VariableType, number> = { float32: 4, int32: 4, bool: 1, int8: 1 }

const sizeOf = (shape: Shape) => shape.reduce((a, b) => a * b, 1)

export const smaller =
  'use a smaller model or batch, train.microBatch or train.accumulate, or a machine with more memory'

/**
 * Refuses a session on a CPU that needs more memory than is free: for its variables, and for the products of matrices
 * that a step has at a time.
 * @throws UserError `memory`
 */
export function requireSessionMemory(
  programs: Readonly<Record<string, Program>>,
  variables: readonly VariableSpec[],
  precision: Precision = 'fp32',
): void {
  const kept = variables.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * bytesOf[dtype], 0)
  const step = Math.max(0, ...Object.values(programs).map(productsAtATime)) * (precision === 'bf16' ? 2 : 4)
  requireMemory(kept + step, 'the model with its optimizer, and a step of it', smaller)
}

/** The most numbers of products that exist at a time, of those with known sizes. Other results may share their memory. */
function productsAtATime(program: Program): number {
  const order = executionOrder(program)
  const lastUse = new Map<Tensor, Tensor>()
  for (const node of order) for (const one of node.inputs) lastUse.set(one, node)
  const [sizes, ends] = [new Map<Tensor, number>(), new Map<Tensor, Tensor[]>()]
  let [now, most] = [0, 0]
  for (const node of order) {
    if (node.op === 'matmul' && node.shape.every((length) => length >= 0)) {
      const [size, end] = [sizeOf(node.shape), lastUse.get(node)]
      now += size
      most = Math.max(most, now)
      sizes.set(node, size)
      if (end) ends.set(end, [...(ends.get(end) ?? []), node])
    }
    for (const one of ends.get(node) ?? []) now -= sizes.get(one)!
  }
  return most
}

/** Whether the engine may compute on a GPU, as far as one knows before it is opened. */
export function mayUseGpu({ engine, device }: { engine: string; device: string }): boolean {
  if (engine === 'wasm' || device === 'cpu') return false
  return process.platform !== 'linux' || ['/dev/nvidiactl', '/dev/nvidia0', '/dev/dxg'].some((path) => existsSync(path))
}
