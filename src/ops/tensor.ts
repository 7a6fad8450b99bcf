/**
 * The vocabulary of tensor operations that models, losses and optimizers are written in.
 *
 * A `Tensor` here is symbolic: it records what it is computed from. Calling `add(a, b)` builds a
 * node, nothing runs. A finished `Program` is differentiated (`gradients.ts`) and then lowered to
 * one of three targets, each an implementation of `Ops<T>`: a TensorFlow graph, calls of
 * TensorFlow.js WASM kernels, an ONNX graph. So there is one definition of every model.
 *
 * Shapes are static except for dimensions written -1, which are known only when the program runs
 * (batch size, number of behaviors). If two -1 meet in an element-wise operation they are equal.
 */

export type DType = 'float32' | 'int32' | 'bool'
/** Types of variables. A variable of type int8 is a table; a lookup returns its rows as float32. */
export type VariableType = DType | 'int8'
/**
 * Precision of matrix products: float32, or bfloat16 (operands and result rounded to 8 significant bits, sums in
 * float32). Everything else, variables included, is float32 in both cases.
 */
export type Precision = 'fp32' | 'bf16'
export type Shape = readonly number[]
export type TypedArray = Float32Array | Int32Array | Uint8Array | Int8Array

/** Array class of each type. */
export const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, int8: Int8Array }

/** Activation functions; `gelu` is the erf form, `geluTanh` its tanh approximation, `quickGelu` x·σ(1.702x). */
export type ActivationForm = 'relu' | 'sigmoid' | 'tanh' | 'softplus' | 'gelu' | 'geluTanh' | 'quickGelu'

type None = Record<never, never>
type Reduction = { axes: readonly number[]; keepDims: boolean }

/** The variables that an optimizer step reads and writes, and its fixed hyper-parameters. */
export type AdamAttrs = { variable: string; m: string; v: string; beta1: number; beta2: number }
export type AdagradAttrs = { variable: string; accumulator: string; epsilon: number }
/** `velocity` is defined if `momentum` is not 0. */
export type SgdAttrs = { variable: string; velocity: string | undefined; momentum: number; nesterov: boolean }

/** Every operation with its attributes. The function that builds the node documents inputs and meaning. */
export interface OpTable {
  // sources
  constant: { value: TypedArray }
  input: { name: string }
  variable: { name: string }
  lookup: { table: string; scale: number }
  // element-wise
  neg: None
  exp: None
  log: None
  sqrt: None
  rsqrt: None
  floor: None
  cast: { dtype: DType }
  activation: { form: ActivationForm }
  activationGrad: { form: ActivationForm }
  add: None
  sub: None
  mul: None
  div: None
  maximum: None
  minimum: None
  greater: None
  greaterEqual: None
  equal: None
  logicalAnd: None
  logicalNot: None
  select: None
  // matrices and reductions
  /** `exact`: in float32, regardless of the precision of the session. */
  matmul: { transposeA: boolean; transposeB: boolean; exact: boolean }
  sum: Reduction
  mean: Reduction
  max: Reduction
  argMax: { axis: number }
  count: { axes: readonly number[] }
  // shapes
  reshape: { shape: Shape }
  reshapeLike: None
  broadcastLike: None
  transpose: { perm: readonly number[] }
  concat: { axis: number }
  slice: { begin: readonly number[]; size: readonly number[] }
  pad: { before: readonly number[]; after: readonly number[] }
  // rows and segments
  gather: None
  segmentSum: None
  segmentMax: None
  oneHot: { depth: number }
  range: None
  // normalization and losses, fused
  softmax: None
  softmaxGrad: None
  layerNorm: { epsilon: number }
  layerNormGrad: { epsilon: number }
  crossEntropy: None
  // randomness
  uniform: { salt: number }
  // structure
  stopGradient: None
  block: { input: Tensor }
  after: None
  part: { index: number }
  // effects on variables
  assign: { variable: string }
  assignRows: { variable: string }
  emaUpdate: { variable: string; source: string }
  adam: AdamAttrs
  adagrad: AdagradAttrs
  sgd: SgdAttrs
  adamRows: AdamAttrs & { l2: number }
  adagradRows: AdagradAttrs & { rowwise: boolean; l2: number }
}

export type OpName = keyof OpTable

/** A node: the result of `op` on `inputs`. `outputs` lists the parts of an operation with several results. */
export interface Tensor<K extends OpName = OpName> {
  /** Number in order of creation, which is a topological order. */
  readonly id: number
  readonly op: K
  readonly inputs: readonly Tensor[]
  readonly attrs: OpTable[K]
  readonly shape: Shape
  readonly dtype: DType
  readonly outputs?: readonly { shape: Shape; dtype: DType }[]
}

/**
 * A target of lowering: one function per operation, from the target's values `T` of the inputs to its value of the
 * result (an array if the operation has parts).
 */
export type Ops<T> = {
  [K in OpName]: (inputs: T[], attrs: OpTable[K], node: Tensor<K>) => T | T[]
}

let nextId = 0

/** Builds a node; only functions that define operations call it. */
export function node<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attrs: OpTable[K],
  shape: Shape,
  dtype: DType = 'float32',
  outputs?: Tensor['outputs'],
): Tensor<K> {
  return { id: nextId++, op, inputs, attrs, shape, dtype, outputs }
}

/** Whether `tensor` is the result of operation `op`; narrows the type of its attributes. */
export function isOp<K extends OpName>(tensor: Tensor, op: K): tensor is Tensor<K> {
  return tensor.op === op
}

/** Product of the dimensions; -1 if one of them is unknown. */
export function sizeOf(shape: Shape): number {
  return shape.includes(-1) ? -1 : shape.reduce((a, b) => a * b, 1)
}

/** `axis` counted from the front: -1 is the last of `rank`. */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis
  if (positive < 0 || positive >= rank) throw new Error(`axis ${axis} is out of range for rank ${rank}`)
  return positive
}

export function describe(tensor: Tensor): string {
  return `${tensor.op}#${tensor.id}[${tensor.shape.join(',')}]`
}
