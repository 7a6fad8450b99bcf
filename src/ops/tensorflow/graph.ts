import type { Shape, TypedArray, VariableType } from '../tensor.js'
import type { AttrValue, NodeDef } from './proto.js'

export interface VariableShape {
  name: string
  shape: Shape
  dtype: VariableType
}

/** TensorFlow's numbers for our types. */
const types = { float32: 1, int32: 3, bool: 10, int8: 6, bfloat16: 14 } as const

export type GraphType = keyof typeof types

export const type = (dtype: GraphType): AttrValue => ({ type: types[dtype] })
export const flag = (b: boolean): AttrValue => ({ b })
export const real = (f: number): AttrValue => ({ f })
export const dims = (shape: Shape) => ({ dim: shape.map((size) => ({ size })) })

/** Collects the nodes of a graph; a value is named by its node, or `node:output` if it is not the first output. */
export class GraphWriter {
  readonly nodes: NodeDef[] = []
  private readonly constants = new Map<string, string>()
  private readonly handles = new Map<string, string>()
  private readonly variables: Map<string, VariableShape>

  /** `kernels`: whether our own operations (bin/adam-rows.cc) are available. */
  constructor(
    variables: readonly VariableShape[],
    readonly kernels: boolean,
  ) {
    this.variables = new Map(variables.map((v) => [v.name, v]))
  }

  add(name: string, op: string, input: string[], attr: Record<string, AttrValue> = {}): string {
    this.nodes.push({ name, op, input, attr })
    return name
  }

  constant(value: TypedArray, shape: Shape, dtype: VariableType): string {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    const key = bytes.length <= 64 ? `${dtype}[${shape}]${Buffer.from(bytes).toString('hex')}` : ''
    const known = this.constants.get(key)
    if (known) return known
    const tensor = { dtype: types[dtype], tensorShape: dims(shape), tensorContent: bytes }
    const name = this.add(`const/${this.nodes.length}`, 'Const', [], { dtype: type(dtype), value: { tensor } })
    if (key) this.constants.set(key, name)
    return name
  }

  ints(values: readonly number[]): string {
    return this.constant(Int32Array.from(values), [values.length], 'int32')
  }

  int(value: number): string {
    return this.constant(Int32Array.of(value), [], 'int32')
  }

  float(value: number): string {
    return this.constant(Float32Array.of(value), [], 'float32')
  }

  variable(name: string): VariableShape {
    const variable = this.variables.get(name)
    if (!variable) throw new Error(`the program uses variable '${name}', which the session does not have`)
    return variable
  }

  /** The resource handle of a variable; programs of one graph share it. */
  handle(name: string): string {
    const known = this.handles.get(name)
    if (known) return known
    const { shape, dtype } = this.variable(name)
    const attr = { dtype: type(dtype), shape: { shape: dims(shape) }, shared_name: { s: Buffer.from(name) } }
    const handle = this.add(`variable/${this.handles.size}`, 'VarHandleOp', [], attr)
    this.handles.set(name, handle)
    return handle
  }
}
