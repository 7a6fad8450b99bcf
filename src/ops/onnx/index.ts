/** Lowers forward programs to ONNX models. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { lower, type Program } from '../program.js'
import type { TypedArray } from '../tensor.js'
import { OnnxOps } from './ops.js'
import { encodeModel, type RowsName, type TensorProto, valueInfo } from './proto.js'

export { opset } from './proto.js'

export type OnnxPrecision = 'fp32' | 'fp16'

/** If weights exceed this many bytes they go to a separate file, because a protobuf is limited to 2 GiB. */
const embeddedLimit = 2 ** 28
/** Smaller tensors, in bytes, stay in the model: ONNX Runtime needs shapes and axes there to load it. */
const externalLeast = 1024

/**
 * Writes `program` as an ONNX model to `path`, and its weights to `path.data` if they exceed `limit` bytes.
 * Inputs and outputs keep their names; int32 inputs become int64. `weight` returns the values of a variable. `rows`
 * names the unknown first dimension of an input or output; by default all are `batch`, i.e. of one length. `precision`
 * applies to matrix products that are not `exact`.
 */
export function exportOnnx(
  path: string,
  program: Program,
  weight: (name: string) => TypedArray,
  {
    metadata = {},
    rows = () => 'batch',
    precision = 'fp32',
    limit = embeddedLimit,
  }: { metadata?: Record<string, string>; rows?: RowsName; precision?: OnnxPrecision; limit?: number } = {},
): void {
  const target = new OnnxOps(weight, rows, precision === 'fp16')
  const value = lower(program.nodes, target.ops, Object.values(program.outputs))
  const outputs = Object.entries(program.outputs)
  for (const [name, t] of outputs) {
    target.nodes.push({ name: `output ${name}`, opType: 'Identity', input: [value(t)], output: [name], attribute: [] })
  }
  const bytes = target.initializers.reduce((total, t) => total + t.rawData!.length, 0)
  const initializer = bytes > limit ? writeExternal(`${path}.data`, target.initializers) : target.initializers
  const graph = {
    name: 'mim',
    node: target.nodes,
    initializer,
    input: target.inputs,
    output: outputs.map(([name, { shape, dtype }]) => valueInfo(name, shape, dtype, rows)),
  }
  writeFileSync(path, encodeModel(graph, metadata))
}

/** Moves the values of all but small `tensors` to a file, at multiples of 4,096 bytes so that readers can map it. */
function writeExternal(path: string, tensors: TensorProto[]): TensorProto[] {
  const file = openSync(path, 'w')
  let offset = 0
  try {
    return tensors.map((tensor) => {
      const { rawData, ...rest } = tensor
      if (rawData!.length < externalLeast) return tensor
      const place = offset
      for (let done = 0; done < rawData!.length; ) {
        done += writeSync(file, rawData!, done, rawData!.length - done, place + done)
      }
      offset = Math.ceil((place + rawData!.length) / 4096) * 4096
      const entries = { location: basename(path), offset: String(place), length: String(rawData!.length) }
      return { ...rest, dataLocation: 1, externalData: Object.entries(entries).map(([key, value]) => ({ key, value })) }
    })
  } finally {
    closeSync(file)
  }
}
