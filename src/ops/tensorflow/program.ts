import type { DType, Tensor } from '../tensor.js'
import { flag, type GraphType, type GraphWriter, type } from './graph.js'
import type { AttrValue } from './proto.js'

/** Writes the nodes of one program under the name scope `scope`, and orders reads of variables before updates. */
export class ProgramWriter {
  private count = 0
  /** Nodes that read a variable: its updates must wait for them. */
  private readonly reads = new Map<string, string[]>()
  /** Nodes that update a variable. */
  private readonly updates = new Map<string, string[]>()

  constructor(
    readonly graph: GraphWriter,
    private readonly scope: string,
  ) {}

  emit(op: string, inputs: string[], attr: Record<string, AttrValue> = {}): string {
    return this.graph.add(`${this.scope}/${this.count++}_${op}`, op, inputs, attr)
  }

  float(op: string, ...inputs: string[]): string {
    return this.emit(op, inputs, { T: type('float32') })
  }

  reduce(op: string, x: string, axes: readonly number[], keepDims: boolean, dtype: DType = 'float32') {
    const attr = { T: type(dtype), Tidx: type('int32'), keep_dims: flag(keepDims) }
    return this.emit(op, [x, this.graph.ints(axes)], attr)
  }

  reshape(x: string, shape: string, dtype: DType): string {
    return this.emit('Reshape', [x, shape], { T: type(dtype), Tshape: type('int32') })
  }

  shapeOf(x: string, dtype: DType): string {
    return this.emit('Shape', [x], { T: type(dtype), out_type: type('int32') })
  }

  /** Number of rows of `x`, a scalar. */
  rows(x: string, { shape, dtype }: Tensor): string {
    if (shape[0] !== -1) return this.graph.int(shape[0])
    return this.gather(this.shapeOf(x, dtype), this.graph.int(0), 'int32')
  }

  gather(x: string, ids: string, dtype: DType): string {
    const attr = { Tparams: type(dtype), Tindices: type('int32'), Taxis: type('int32') }
    return this.emit('GatherV2', [x, ids, this.graph.int(0)], attr)
  }

  cast(x: string, from: GraphType, to: GraphType): string {
    if (from === to) return x
    return this.emit('Cast', [x], { SrcT: type(from), DstT: type(to) })
  }

  segment(op: string, values: string, ids: string, count: string): string {
    const attr = { T: type('float32'), Tindices: type('int32'), Tnumsegments: type('int32') }
    return this.emit(op, [values, ids, count], attr)
  }

  /** Records that `reader` reads `variable`; returns `reader`. */
  read(variable: string, reader: string): string {
    this.reads.set(variable, [...(this.reads.get(variable) ?? []), reader])
    return reader
  }

  /** Rows of a table, in the type of the table. */
  rowsOf(variable: string, ids: string): string {
    const { dtype } = this.graph.variable(variable)
    return this.emit('ResourceGather', [this.graph.handle(variable), ids], {
      dtype: type(dtype),
      Tindices: type('int32'),
    })
  }

  /** The value of `variable` after its updates so far. */
  current(variable: string): string {
    const after = (this.updates.get(variable) ?? []).map((name) => `^${name}`)
    const { dtype } = this.graph.variable(variable)
    return this.emit('ReadVariableOp', [this.graph.handle(variable), ...after], { dtype: type(dtype) })
  }

  /** An update of `variable` that waits for all its readers. */
  update(variable: string, op: string, inputs: string[], attr: Record<string, AttrValue>): string {
    const after = (this.reads.get(variable) ?? []).map((name) => `^${name}`)
    const update = this.emit(op, [this.graph.handle(variable), ...inputs, ...after], attr)
    this.updates.set(variable, [...(this.updates.get(variable) ?? []), update])
    return update
  }

  subtract(variable: string, amount: string): string {
    return this.update(variable, 'AssignSubVariableOp', [amount], { dtype: type('float32') })
  }

  /** An update of the rows `ids` of a table. */
  scatter(op: string, variable: string, ids: string, rows: string): string {
    const { dtype } = this.graph.variable(variable)
    return this.update(variable, op, [ids, rows], { dtype: type(dtype), Tindices: type('int32') })
  }

  scale(x: string, factor: number): string {
    return this.float('Mul', x, this.graph.float(factor))
  }
}
