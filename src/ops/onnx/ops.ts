/** The operations of forward passes as ONNX nodes. */
import type { ActivationForm, DType, Ops, Shape, Tensor, TypedArray } from '../tensor.js'
import { elementTypes, type NodeProto, type RowsName, type TensorProto, type ValueInfo, valueInfo } from './proto.js'

type Attribute = number | readonly number[] | { float: number }

/** Collects the parts of an ONNX graph; a value is represented by its name. */
export class OnnxOps {
  readonly nodes: NodeProto[] = []
  readonly initializers: TensorProto[] = []
  readonly inputs: ValueInfo[] = []
  private readonly constants = new Map<string, string>()

  /**
   * `weight` returns the values of a variable, which is written once. `half`: matrix products are float16, everything
   * else is float32.
   */
  constructor(
    private readonly weight: (name: string) => TypedArray,
    private readonly rows: RowsName,
    private readonly half = false,
  ) {}

  private emit(opType: string, input: string[], attributes: Record<string, Attribute> = {}): string {
    const name = `${opType}_${this.nodes.length}`
    const attribute = Object.entries(attributes).map(([key, value]) => {
      if (typeof value === 'number') return { name: key, type: 2, i: value }
      if ('float' in value) return { name: key, type: 1, f: value.float }
      return { name: key, type: 7, ints: [...value] }
    })
    this.nodes.push({ name, opType, input, output: [name], attribute })
    return name
  }

  private initializer(name: string, data: ArrayBufferView, dims: Shape, dtype: DType | 'int64'): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.initializers.push({ name, dims, dataType: elementTypes[dtype], rawData })
    return name
  }

  private constant(data: ArrayBufferView, dims: Shape, dtype: DType | 'int64'): string {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const key = bytes.length <= 64 ? `${dtype}[${dims}]${bytes.toString('hex')}` : ''
    const known = this.constants.get(key)
    if (known) return known
    const name = this.initializer(`constant_${this.initializers.length}`, data, dims, dtype)
    if (key) this.constants.set(key, name)
    return name
  }

  private float(value: number): string {
    return this.constant(Float32Array.of(value), [], 'float32')
  }

  private longs(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values.map(BigInt)), [values.length], 'int64')
  }

  private cast(x: string, dtype: keyof typeof elementTypes): string {
    return this.emit('Cast', [x], { to: elementTypes[dtype] })
  }

  private scale(x: string, factor: number): string {
    return this.emit('Mul', [x, this.float(factor)])
  }

  private activation(x: string, form: ActivationForm): string {
    const direct = { relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', softplus: 'Softplus' } as const
    if (form in direct) return this.emit(direct[form as keyof typeof direct], [x])
    if (form === 'quickGelu') return this.emit('Mul', [x, this.emit('Sigmoid', [this.scale(x, 1.702)])])
    // ONNX Runtime recognizes this order of operations and replaces it by one kernel.
    const inner =
      form === 'gelu' ? this.emit('Erf', [this.emit('Div', [x, this.float(Math.SQRT2)])]) : this.tanhInner(x)
    return this.scale(this.emit('Mul', [x, this.emit('Add', [inner, this.float(1)])]), 0.5)
  }

  private tanhInner(x: string): string {
    const cube = this.emit('Mul', [this.emit('Mul', [x, x]), x])
    const sum = this.emit('Add', [x, this.scale(cube, 0.044715)])
    return this.emit('Tanh', [this.scale(sum, Math.sqrt(2 / Math.PI))])
  }

  /** Swaps the last two dimensions of a tensor of `rank`. */
  private turned(x: string, rank: number): string {
    const perm = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i))
    return this.emit('Transpose', [x], { perm })
  }

  /** `value` in the shape [rows of `like`, ...rest], to scatter into. */
  private filled(like: string, rest: Shape, value: number): string {
    const rows = this.emit('Slice', [this.emit('Shape', [like]), this.longs([0]), this.longs([1])])
    const shape = rest.length === 0 ? rows : this.emit('Concat', [rows, this.longs(rest)], { axis: 0 })
    return this.emit('Expand', [this.float(value), shape])
  }

  private scatter(reduction: 'add' | 'max', values: string, ids: string, like: string, rest: Shape): string {
    const indices = this.emit('Unsqueeze', [this.cast(ids, 'int64'), this.longs([-1])])
    const name = this.emit('ScatterND', [this.filled(like, rest, reduction === 'add' ? 0 : lowest), indices, values])
    const attribute = { name: 'reduction', type: 3, s: Buffer.from(reduction) }
    this.nodes[this.nodes.length - 1].attribute.push(attribute as never)
    return name
  }

  private direct = (opType: string) => (inputs: string[]) => this.emit(opType, inputs)

  /** The operations: a plain table. */
  readonly ops: Ops<string> = {
    constant: (_, { value }, { shape, dtype }) => this.constant(value, shape, dtype),
    input: (_, { name }, { shape, dtype }) => {
      // Ids are int64 in models for ONNX, as exporters and their users expect.
      this.inputs.push(valueInfo(name, shape, dtype === 'int32' ? 'int64' : dtype, this.rows))
      return dtype === 'int32' ? this.cast(name, 'int32') : name
    },
    variable: (_, { name }, { shape, dtype }) => {
      const known = this.constants.get(`variable ${name}`)
      if (known) return known
      this.constants.set(`variable ${name}`, name)
      return this.initializer(name, this.weight(name), shape, dtype)
    },
    lookup: ([ids], { table, scale }, { shape }) => {
      const rows = this.emit('Gather', [this.table(table, shape[shape.length - 1]), ids], { axis: 0 })
      return scale === 1 ? rows : this.scale(rows, scale)
    },
    neg: this.direct('Neg'),
    exp: this.direct('Exp'),
    log: this.direct('Log'),
    sqrt: this.direct('Sqrt'),
    rsqrt: ([x]) => this.emit('Reciprocal', [this.emit('Sqrt', [x])]),
    floor: this.direct('Floor'),
    cast: ([x], { dtype }) => this.cast(x, dtype),
    activation: ([x], { form }) => this.activation(x, form),
    activationGrad: unsupported('activationGrad'),
    add: this.direct('Add'),
    sub: this.direct('Sub'),
    mul: this.direct('Mul'),
    div: this.direct('Div'),
    maximum: this.direct('Max'),
    minimum: this.direct('Min'),
    greater: this.direct('Greater'),
    greaterEqual: this.direct('GreaterOrEqual'),
    equal: this.direct('Equal'),
    logicalAnd: this.direct('And'),
    logicalNot: this.direct('Not'),
    select: this.direct('Where'),
    matmul: ([a, b], { transposeA, transposeB, exact }, { shape }) => {
      const rank = shape.length
      const product = (a: string, b: string) => {
        if (rank === 2) return this.emit('Gemm', [a, b], { transA: Number(transposeA), transB: Number(transposeB) })
        return this.emit('MatMul', [transposeA ? this.turned(a, rank) : a, transposeB ? this.turned(b, rank) : b])
      }
      if (!this.half || exact) return product(a, b)
      return this.cast(product(this.cast(a, 'float16'), this.cast(b, 'float16')), 'float32')
    },
    sum: ([x], { axes, keepDims }) => this.emit('ReduceSum', [x, this.longs(axes)], { keepdims: Number(keepDims) }),
    mean: ([x], { axes, keepDims }) => this.emit('ReduceMean', [x], { axes, keepdims: Number(keepDims) }),
    max: ([x], { axes, keepDims }) => this.emit('ReduceMax', [x], { axes, keepdims: Number(keepDims) }),
    argMax: ([x], { axis }) => this.cast(this.emit('ArgMax', [x], { axis, keepdims: 0 }), 'int32'),
    count: ([x], { axes }) => {
      const sizes = this.emit('Gather', [this.emit('Shape', [x]), this.longs(axes)])
      return this.cast(this.emit('ReduceProd', [sizes], { keepdims: 0 }), 'float32')
    },
    reshape: ([x], { shape }) => this.emit('Reshape', [x, this.longs(shape)]),
    reshapeLike: ([x, like]) => this.emit('Reshape', [x, this.emit('Shape', [like])]),
    broadcastLike: ([x, like]) => this.emit('Expand', [x, this.emit('Shape', [like])]),
    transpose: ([x], { perm }) => this.emit('Transpose', [x], { perm }),
    concat: (parts, { axis }) => this.emit('Concat', parts, { axis }),
    slice: ([x], { begin, size }) => {
      const ends = begin.map((b, i) => (size[i] === -1 ? Number.MAX_SAFE_INTEGER : b + size[i]))
      return this.emit('Slice', [x, this.longs(begin), this.longs(ends)])
    },
    pad: ([x], { before, after }) => this.emit('Pad', [x, this.longs([...before, ...after])]),
    gather: ([x, ids]) => this.emit('Gather', [x, ids], { axis: 0 }),
    segmentSum: ([values, ids, like], _, { shape }) => this.scatter('add', values, ids, like, shape.slice(1)),
    segmentMax: ([values, ids, like], _, { shape }) => this.scatter('max', values, ids, like, shape.slice(1)),
    oneHot: ([ids], { depth }) => {
      const numbers = this.constant(
        Int32Array.from({ length: depth }, (_, i) => i),
        [depth],
        'int32',
      )
      return this.cast(this.emit('Equal', [this.emit('Unsqueeze', [ids, this.longs([-1])]), numbers]), 'float32')
    },
    range: ([like]) => {
      const rows = this.emit('Gather', [this.emit('Shape', [like]), this.constant(BigInt64Array.of(0n), [], 'int64')])
      return this.emit('Range', [this.int(0), this.cast(rows, 'int32'), this.int(1)])
    },
    softmax: ([x]) => this.emit('Softmax', [x], { axis: -1 }),
    softmaxGrad: unsupported('softmaxGrad'),
    layerNorm: (inputs, { epsilon }) =>
      this.emit('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } }),
    layerNormGrad: unsupported('layerNormGrad'),
    crossEntropy: unsupported('crossEntropy'),
    uniform: unsupported('uniform'),
    stopGradient: ([x]) => x,
    block: ([x]) => x,
    after: unsupported('after'),
    part: unsupported('part'),
    assign: unsupported('assign'),
    assignRows: unsupported('assignRows'),
    emaUpdate: unsupported('emaUpdate'),
    adam: unsupported('adam'),
    adagrad: unsupported('adagrad'),
    sgd: unsupported('sgd'),
    adamRows: unsupported('adamRows'),
    adagradRows: unsupported('adagradRows'),
  }

  /** A float32 table [rows, width], written once for all lookups. */
  private table(name: string, width: number): string {
    const known = this.constants.get(`table ${name}`)
    if (known) return known
    this.constants.set(`table ${name}`, name)
    const numbers = this.weight(name)
    return this.initializer(name, numbers, [numbers.length / width, width], 'float32')
  }

  private int(value: number): string {
    return this.constant(Int32Array.of(value), [], 'int32')
  }
}

const lowest = -3.4028234663852886e38

/** Operations of training are not part of an exported graph. */
function unsupported(name: string) {
  return (_inputs: string[], _attrs: unknown, _node: Tensor): never => {
    throw new Error(`${name} cannot be exported to ONNX`)
  }
}
