import type { ActivationForm, DType, Ops, Tensor, VariableType } from '../tensor.js'
import { dims, flag, type GraphWriter, type } from './graph.js'
import type { AttrValue } from './proto.js'

/** The operations of one program as TensorFlow nodes under the name scope `scope`. */
export class TensorFlowOps {
  private count = 0
  /** Nodes that read a variable: its updates must wait for them. */
  private readonly reads = new Map<string, string[]>()
  /** Nodes that update a variable. */
  private readonly updates = new Map<string, string[]>()
  private readonly values = new Map<string, string>()

  constructor(
    private readonly graph: GraphWriter,
    private readonly scope: string,
  ) {}

  private emit(op: string, inputs: string[], attr: Record<string, AttrValue> = {}): string {
    return this.graph.add(`${this.scope}/${this.count++}_${op}`, op, inputs, attr)
  }

  private float(op: string, ...inputs: string[]): string {
    return this.emit(op, inputs, { T: type('float32') })
  }

  private reduce(op: string, x: string, axes: readonly number[], keepDims: boolean, dtype: DType = 'float32') {
    const attr = { T: type(dtype), Tidx: type('int32'), keep_dims: flag(keepDims) }
    return this.emit(op, [x, this.graph.ints(axes)], attr)
  }

  private reshape(x: string, shape: string, dtype: DType): string {
    return this.emit('Reshape', [x, shape], { T: type(dtype), Tshape: type('int32') })
  }

  private shapeOf(x: string, dtype: DType): string {
    return this.emit('Shape', [x], { T: type(dtype), out_type: type('int32') })
  }

  /** Number of rows of `x`, a scalar. */
  private rows(x: string, { shape, dtype }: Tensor): string {
    if (shape[0] !== -1) return this.graph.int(shape[0])
    return this.gather(this.shapeOf(x, dtype), this.graph.int(0), 'int32')
  }

  private gather(x: string, ids: string, dtype: DType): string {
    const attr = { Tparams: type(dtype), Tindices: type('int32'), Taxis: type('int32') }
    return this.emit('GatherV2', [x, ids, this.graph.int(0)], attr)
  }

  private cast(x: string, from: VariableType, to: VariableType): string {
    if (from === to) return x
    return this.emit('Cast', [x], { SrcT: type(from), DstT: type(to) })
  }

  private segment(op: string, values: string, ids: string, count: string): string {
    const attr = { T: type('float32'), Tindices: type('int32'), Tnumsegments: type('int32') }
    return this.emit(op, [values, ids, count], attr)
  }

  private read(variable: string, reader: string): string {
    this.reads.set(variable, [...(this.reads.get(variable) ?? []), reader])
    return reader
  }

  private rowsOf(variable: string, ids: string): string {
    const { dtype } = this.graph.variable(variable)
    return this.emit('ResourceGather', [this.graph.handle(variable), ids], {
      dtype: type(dtype),
      Tindices: type('int32'),
    })
  }

  private valueOf(variable: string, after: string[] = []): string {
    const inputs = [this.graph.handle(variable), ...after.map((name) => `^${name}`)]
    return this.emit('ReadVariableOp', inputs, { dtype: type(this.graph.variable(variable).dtype) })
  }

  /** An update of `variable` that waits for all its readers. */
  private update(variable: string, op: string, inputs: string[], attr: Record<string, AttrValue>): string {
    const after = (this.reads.get(variable) ?? []).map((name) => `^${name}`)
    const update = this.emit(op, [this.graph.handle(variable), ...inputs, ...after], attr)
    this.updates.set(variable, [...(this.updates.get(variable) ?? []), update])
    return update
  }

  private subtract(variable: string, amount: string): string {
    return this.update(variable, 'AssignSubVariableOp', [amount], { dtype: type('float32') })
  }

  /** The `gradient` for an update of `variable` that has to wait until the share `decay`, if any, is taken off it. */
  private afterDecay(variable: string, gradient: string, decay: string | undefined): string {
    if (!decay) return gradient
    const shrunk = this.subtract(variable, this.float('Mul', this.valueOf(variable), decay))
    return this.emit('Identity', [gradient, `^${shrunk}`], { T: type('float32') })
  }

  private scatter(op: string, variable: string, ids: string, rows: string): string {
    const { dtype } = this.graph.variable(variable)
    return this.update(variable, op, [ids, rows], { dtype: type(dtype), Tindices: type('int32') })
  }

  private gelu(x: string, form: ActivationForm): string {
    if (form === 'quickGelu') return this.float('Mul', x, this.float('Sigmoid', this.scale(x, 1.702)))
    return this.float('Mul', this.scale(x, 0.5), this.float('AddV2', this.geluInner(x, form), this.graph.float(1)))
  }

  /** The sigmoid-shaped factor of GELU before it is moved to (0, 1): erf(x/√2), or its tanh approximation. */
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

  private scale(x: string, factor: number): string {
    return this.float('Mul', x, this.graph.float(factor))
  }

  /** (x − mean)/σ and 1/σ over the last dimension. */
  private standardise(x: string, axis: number, epsilon: number): [string, string] {
    // Not SquaredDifference: TensorFlow would see a layer norm in it and put a fused kernel in place
    // (_MklLayerNorm) that forgets our epsilon and takes 1e-3.
    const centred = this.float('Sub', x, this.reduce('Mean', x, [axis], true))
    const variance = this.reduce('Mean', this.float('Square', centred), [axis], true)
    const inverse = this.float('Rsqrt', this.float('AddV2', variance, this.graph.float(epsilon)))
    return [this.float('Mul', centred, inverse), inverse]
  }

  /** Distinct ids, and their gradient rows summed with L2 added; that of the padding row is zero. */
  private distinctRows(variable: string, ids: string, gradients: string, l2: number): [string, string] {
    const { shape } = this.graph.variable(variable)
    const flat = this.reshape(ids, this.graph.ints([-1]), 'int32')
    const unique = this.emit('Unique', [flat], { T: type('int32'), out_idx: type('int32') })
    const count = this.emit('Size', [unique], { T: type('int32'), out_type: type('int32') })
    const rows = this.reshape(gradients, this.graph.ints([-1, ...shape.slice(1)]), 'float32')
    let gradient = this.segment('UnsortedSegmentSum', rows, `${unique}:1`, count)
    if (l2 > 0) gradient = this.float('AddV2', gradient, this.scale(this.rowsOf(variable, unique), l2))
    const moving = this.emit('NotEqual', [unique, this.graph.int(0)], {
      T: type('int32'),
      incompatible_shape_error: flag(true),
    })
    const column = this.reshape(this.cast(moving, 'bool', 'float32'), this.graph.ints([-1, 1]), 'float32')
    return [unique, this.float('Mul', gradient, column)]
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
      const value = this.valueOf(name)
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
    matmul: ([a, b], { transposeA, transposeB }, { shape }) =>
      shape.length === 2
        ? this.emit('MatMul', [a, b], {
            T: type('float32'),
            transpose_a: flag(transposeA),
            transpose_b: flag(transposeB),
          })
        : this.emit('BatchMatMulV2', [a, b], { T: type('float32'), adj_x: flag(transposeA), adj_y: flag(transposeB) }),
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
      const [standard] = this.standardise(x, shape.length - 1, epsilon)
      return this.float('AddV2', this.float('Mul', standard, gamma), beta)
    },
    layerNormGrad: ([x, gamma, dy], { epsilon }, { shape }) => {
      const last = shape.length - 1
      const leading = shape.map((_, i) => i).slice(0, -1)
      const [standard, inverse] = this.standardise(x, last, epsilon)
      const product = this.float('Mul', dy, standard)
      const dStandard = this.float('Mul', dy, gamma)
      const mean = this.reduce('Mean', dStandard, [last], true)
      const slope = this.reduce('Mean', this.float('Mul', dStandard, standard), [last], true)
      const centred = this.float('Sub', this.float('Sub', dStandard, mean), this.float('Mul', standard, slope))
      return [
        this.float('Mul', centred, inverse),
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
    part: (parts, { index }) => parts[index],
    assign: ([value], { variable }) =>
      this.update(variable, 'AssignVariableOp', [value], { dtype: type(this.graph.variable(variable).dtype) }),
    assignRows: ([ids, rows], { variable }, { inputs }) => {
      const stored = this.cast(rows, inputs[1].dtype, this.graph.variable(variable).dtype)
      return this.scatter('ResourceScatterUpdate', variable, ids, stored)
    },
    follow: ([keep], { variable, source }) => {
      const gap = this.float('Sub', this.valueOf(variable), this.valueOf(source, this.updates.get(source)))
      return this.subtract(variable, this.float('Mul', gap, this.float('Sub', this.graph.float(1), keep)))
    },
    adam: ([gradient, rate, epsilon, decay], { variable, m, v, beta1, beta2 }) => {
      const { graph } = this
      const zero = graph.float(0)
      // With both powers 0 TensorFlow applies `rate` as it is: the bias correction is in it.
      const inputs = [
        graph.handle(m),
        graph.handle(v),
        zero,
        zero,
        rate,
        graph.float(beta1),
        graph.float(beta2),
        epsilon,
        this.afterDecay(variable, gradient, decay),
      ]
      return this.update(variable, 'ResourceApplyAdam', inputs, { T: type('float32') })
    },
    sgd: ([gradient, rate, decay], { variable, velocity, momentum, nesterov }) => {
      const ready = this.afterDecay(variable, gradient, decay)
      const attr = { T: type('float32') }
      if (velocity === undefined) return this.update(variable, 'ResourceApplyGradientDescent', [rate, ready], attr)
      const inputs = [this.graph.handle(velocity), rate, ready, this.graph.float(momentum)]
      return this.update(variable, 'ResourceApplyMomentum', inputs, { ...attr, use_nesterov: flag(nesterov) })
    },
    adagrad: ([gradient, rate, decay], { variable, accumulator, epsilon }) => {
      const ready = this.afterDecay(variable, gradient, decay)
      const inputs = [this.graph.handle(accumulator), rate, this.graph.float(epsilon), ready]
      return this.update(variable, 'ResourceApplyAdagradV2', inputs, { T: type('float32') })
    },
    adamRows: ([ids, gradients, rate, epsilon], { variable, m, v, beta1, beta2, l2 }) => {
      const [distinct, gradient] = this.distinctRows(variable, ids, gradients, l2)
      const blend = (old: string, keep: number, fresh: string) =>
        this.float('AddV2', this.scale(this.rowsOf(old, distinct), keep), this.scale(fresh, 1 - keep))
      const newM = blend(m, beta1, gradient)
      const newV = blend(v, beta2, this.float('Square', gradient))
      const quotient = this.float('RealDiv', newM, this.float('AddV2', this.float('Sqrt', newV), epsilon))
      const after = [
        this.scatter('ResourceScatterUpdate', m, distinct, newM),
        this.scatter('ResourceScatterUpdate', v, distinct, newV),
      ]
      const last = this.scatter('ResourceScatterSub', variable, distinct, this.float('Mul', quotient, rate))
      return this.emit(
        'NoOp',
        [last, ...after].map((name) => `^${name}`),
      )
    },
    adagradRows: ([ids, gradients, rate], { variable, accumulator, epsilon, rowwise, l2 }) => {
      const [distinct, gradient] = this.distinctRows(variable, ids, gradients, l2)
      const square = this.float('Square', gradient)
      const addend = rowwise ? this.reduce('Mean', square, [1], true) : square
      const total = this.float('AddV2', this.rowsOf(accumulator, distinct), addend)
      const root = this.float('AddV2', this.float('Sqrt', total), this.graph.float(epsilon))
      const move = this.float('Mul', this.float('RealDiv', gradient, root), rate)
      const kept = this.scatter('ResourceScatterUpdate', accumulator, distinct, total)
      const last = this.scatter('ResourceScatterSub', variable, distinct, move)
      return this.emit('NoOp', [`^${last}`, `^${kept}`])
    },
  }
}
