import type { ActivationForm, Ops, Precision, Tensor } from '../tensor.js'
import { dims, flag, type GraphWriter, type } from './graph.js'
import { ProgramWriter } from './program.js'
import { updateOps } from './updates.js'

/** The operations of one program as TensorFlow nodes. */
export class TensorFlowOps extends ProgramWriter {
  private readonly values = new Map<string, string>()

  constructor(
    graph: GraphWriter,
    scope: string,
    private readonly precision: Precision,
  ) {
    super(graph, scope)
  }

  private gelu(x: string, form: ActivationForm): string {
    if (form === 'quickGelu') return this.float('Mul', x, this.float('Sigmoid', this.scale(x, 1.702)))
    return this.float('Mul', this.scale(x, 0.5), this.float('AddV2', this.geluInner(x, form), this.graph.float(1)))
  }

  /** The sigmoid-shaped factor of GELU before scaling to (0, 1): erf(x/√2), or its tanh approximation. */
  private geluInner(x: string, form: ActivationForm): string {
    if (form === 'gelu') return this.float('Erf', this.scale(x, Math.SQRT1_2))
    const cubic = this.float('AddV2', x, this.scale(this.float('Mul', this.float('Square', x), x), 0.044715))
    return this.float('Tanh', this.scale(cubic, Math.sqrt(2 / Math.PI)))
  }

  private geluSlope(x: string, form: ActivationForm): string {
    const one = this.graph.float(1)
    if (form === 'quickGelu') {
      const s = this.float('Sigmoid', this.scale(x, 1.702))
      const bend = this.float('Mul', this.scale(x, 1.702), this.float('Sub', one, s))
      return this.float('Mul', s, this.float('AddV2', one, bend))
    }
    const inner = this.geluInner(x, form)
    const share = this.scale(this.float('AddV2', inner, one), 0.5)
    if (form === 'gelu') {
      const density = this.scale(
        this.float('Exp', this.scale(this.float('Square', x), -0.5)),
        1 / Math.sqrt(2 * Math.PI),
      )
      return this.float('AddV2', share, this.float('Mul', x, density))
    }
    const c = Math.sqrt(2 / Math.PI)
    const cubicSlope = this.float('AddV2', this.scale(this.float('Square', x), 3 * 0.044715 * c), this.graph.float(c))
    const bend = this.float('Mul', this.float('Sub', one, this.float('Square', inner)), cubicSlope)
    return this.float('AddV2', share, this.scale(this.float('Mul', x, bend), 0.5))
  }

  /** (x − mean)/σ and 1/σ over the last dimension. */
  private standardize(x: string, axis: number, epsilon: number): [string, string] {
    // Not SquaredDifference: TensorFlow would recognize a layer norm and replace it by a fused kernel
    // (_MklLayerNorm) that ignores our epsilon and uses 1e-3.
    const centered = this.float('Sub', x, this.reduce('Mean', x, [axis], true))
    const variance = this.reduce('Mean', this.float('Square', centered), [axis], true)
    const inverse = this.float('Rsqrt', this.float('AddV2', variance, this.graph.float(epsilon)))
    return [this.float('Mul', centered, inverse), inverse]
  }

  private elementwise = (op: string) => (inputs: string[], _attrs: unknown, node: Tensor) =>
    this.emit(op, inputs, { T: type(node.inputs[0].dtype) })

  readonly ops: Ops<string> = {
    constant: (_, { value }, { shape, dtype }) => this.graph.constant(value, shape, dtype),
    input: (_in, _attrs, { shape, dtype }) =>
      this.emit('Placeholder', [], { dtype: type(dtype), shape: { shape: dims(shape) } }),
    variable: (_, { name }) => {
      const known = this.values.get(name)
      if (known) return known
      const value = this.current(name)
      this.values.set(name, value)
      return this.read(name, value)
    },
    lookup: ([ids], { table, scale }) => {
      const rows = this.read(table, this.rowsOf(table, ids))
      const floats = this.cast(rows, this.graph.variable(table).dtype, 'float32')
      return scale === 1 ? floats : this.scale(floats, scale)
    },
    neg: this.elementwise('Neg'),
    exp: this.elementwise('Exp'),
    log: this.elementwise('Log'),
    sqrt: this.elementwise('Sqrt'),
    rsqrt: this.elementwise('Rsqrt'),
    floor: this.elementwise('Floor'),
    cast: ([x], { dtype }, { inputs }) => this.cast(x, inputs[0].dtype, dtype),
    activation: ([x], { form }) => {
      const direct = { relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', softplus: 'Softplus' } as const
      return form in direct ? this.float(direct[form as keyof typeof direct], x) : this.gelu(x, form)
    },
    activationGrad: ([x, y, dy], { form }) => {
      if (form === 'relu') return this.float('ReluGrad', dy, y)
      if (form === 'sigmoid') return this.float('SigmoidGrad', y, dy)
      if (form === 'tanh') return this.float('TanhGrad', y, dy)
      if (form === 'softplus') return this.float('SoftplusGrad', dy, x)
      return this.float('Mul', dy, this.geluSlope(x, form))
    },
    add: this.elementwise('AddV2'),
    sub: this.elementwise('Sub'),
    mul: this.elementwise('Mul'),
    div: this.elementwise('RealDiv'),
    maximum: this.elementwise('Maximum'),
    minimum: this.elementwise('Minimum'),
    greater: this.elementwise('Greater'),
    greaterEqual: this.elementwise('GreaterEqual'),
    equal: ([a, b], _, { inputs }) =>
      this.emit('Equal', [a, b], { T: type(inputs[0].dtype), incompatible_shape_error: flag(true) }),
    logicalAnd: (inputs) => this.emit('LogicalAnd', inputs),
    logicalNot: (inputs) => this.emit('LogicalNot', inputs),
    select: (inputs, _, { dtype }) => this.emit('SelectV2', inputs, { T: type(dtype) }),
    matmul: ([a, b], { transposeA, transposeB, exact }, { shape }) => {
      const dtype = exact || this.precision === 'fp32' ? 'float32' : 'bfloat16'
      const operands = [a, b].map((x) => this.cast(x, 'float32', dtype))
      const product =
        shape.length === 2
          ? this.emit('MatMul', operands, {
              T: type(dtype),
              transpose_a: flag(transposeA),
              transpose_b: flag(transposeB),
            })
          : this.emit('BatchMatMulV2', operands, { T: type(dtype), adj_x: flag(transposeA), adj_y: flag(transposeB) })
      return this.cast(product, dtype, 'float32')
    },
    sum: ([x], { axes, keepDims }, { dtype }) => this.reduce('Sum', x, axes, keepDims, dtype),
    mean: ([x], { axes, keepDims }) => this.reduce('Mean', x, axes, keepDims),
    max: ([x], { axes, keepDims }, { dtype }) => this.reduce('Max', x, axes, keepDims, dtype),
    argMax: ([x], { axis }, { inputs }) =>
      this.emit('ArgMax', [x, this.graph.int(axis)], {
        T: type(inputs[0].dtype),
        Tidx: type('int32'),
        output_type: type('int32'),
      }),
    count: ([x], { axes }, { inputs: [source] }) => {
      const sizes = this.gather(this.shapeOf(x, source.dtype), this.graph.ints(axes), 'int32')
      return this.cast(this.reduce('Prod', sizes, [0], false, 'int32'), 'int32', 'float32')
    },
    reshape: ([x], { shape }, { dtype }) => this.reshape(x, this.graph.ints(shape), dtype),
    reshapeLike: ([x, like], _, { dtype, inputs }) => this.reshape(x, this.shapeOf(like, inputs[1].dtype), dtype),
    broadcastLike: ([x, like], _, { dtype, inputs }) =>
      this.emit('BroadcastTo', [x, this.shapeOf(like, inputs[1].dtype)], { T: type(dtype), Tidx: type('int32') }),
    transpose: ([x], { perm }, { dtype }) =>
      this.emit('Transpose', [x, this.graph.ints(perm)], { T: type(dtype), Tperm: type('int32') }),
    concat: (inputs, { axis }, { dtype }) =>
      this.emit('ConcatV2', [...inputs, this.graph.int(axis)], {
        N: { i: inputs.length },
        T: type(dtype),
        Tidx: type('int32'),
      }),
    slice: ([x], { begin, size }, { dtype }) =>
      this.emit('Slice', [x, this.graph.ints(begin), this.graph.ints(size)], { T: type(dtype), Index: type('int32') }),
    pad: ([x], { before, after }, { dtype }) => {
      const paddings = Int32Array.from(before.flatMap((b, i) => [b, after[i]]))
      const input = this.graph.constant(paddings, [before.length, 2], 'int32')
      return this.emit('Pad', [x, input], { T: type(dtype), Tpaddings: type('int32') })
    },
    gather: ([x, ids], _, { dtype }) => this.gather(x, ids, dtype),
    segmentSum: ([values, ids, like], _, { inputs }) =>
      this.segment('UnsortedSegmentSum', values, ids, this.rows(like, inputs[2])),
    segmentMax: ([values, ids, like], _, { inputs }) =>
      this.segment('UnsortedSegmentMax', values, ids, this.rows(like, inputs[2])),
    oneHot: ([ids], { depth }) =>
      this.emit('OneHot', [ids, this.graph.int(depth), this.graph.float(1), this.graph.float(0)], {
        T: type('float32'),
        TI: type('int32'),
        axis: { i: -1 },
      }),
    range: ([like], _, { inputs: [source] }) =>
      this.emit('Range', [this.graph.int(0), this.rows(like, source), this.graph.int(1)], { Tidx: type('int32') }),
    softmax: ([x]) => this.float('Softmax', x),
    softmaxGrad: ([y, dy], _, { shape }) => {
      const dot = this.reduce('Sum', this.float('Mul', dy, y), [shape.length - 1], true)
      return this.float('Mul', this.float('Sub', dy, dot), y)
    },
    layerNorm: ([x, gamma, beta], { epsilon }, { shape }) => {
      const [standard] = this.standardize(x, shape.length - 1, epsilon)
      return this.float('AddV2', this.float('Mul', standard, gamma), beta)
    },
    layerNormGrad: ([x, gamma, dy], { epsilon }, { shape }) => {
      const last = shape.length - 1
      const leading = shape.map((_, i) => i).slice(0, -1)
      const [standard, inverse] = this.standardize(x, last, epsilon)
      const product = this.float('Mul', dy, standard)
      const dStandard = this.float('Mul', dy, gamma)
      const mean = this.reduce('Mean', dStandard, [last], true)
      const slope = this.reduce('Mean', this.float('Mul', dStandard, standard), [last], true)
      const centered = this.float('Sub', this.float('Sub', dStandard, mean), this.float('Mul', standard, slope))
      return [
        this.float('Mul', centered, inverse),
        this.reduce('Sum', product, leading, false),
        this.reduce('Sum', dy, leading, false),
      ]
    },
    crossEntropy: ([logits, labels]) => {
      const attr = { T: type('float32'), Tlabels: type('int32') }
      const loss = this.emit('SparseSoftmaxCrossEntropyWithLogits', [logits, labels], attr)
      return [loss, `${loss}:1`]
    },
    uniform: ([like, seed], { salt }) => {
      const salted = this.emit('AddV2', [seed, this.graph.ints([salt, 0])], { T: type('int32') })
      const attr = { dtype: type('float32'), T: type('int32'), Tseed: type('int32') }
      return this.emit('StatelessRandomUniform', [this.shapeOf(like, 'float32'), salted], attr)
    },
    stopGradient: ([x]) => x,
    block: ([x]) => x,
    after: ([x, other], _, { dtype }) => this.emit('Identity', [x, `^${other.split(':')[0]}`], { T: type(dtype) }),
    part: (parts, { index }) => parts[index],
    ...updateOps(this),
  }
}
