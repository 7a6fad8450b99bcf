/** Reverse-mode differentiation of programs: one rule per operation, each written with the same operations. */
import * as op from './index.js'
import { ancestors } from './program.js'
import { isOp, node, type OpName, type OpTable, type Tensor } from './tensor.js'

/** From the gradient `dy` of `y = op(inputs)` to the gradients of the inputs (undefined: none). */
type Rule<K extends OpName> = (dy: Tensor, y: Tensor<K>, ...inputs: Tensor[]) => (Tensor | undefined)[]

/** Sums `dy` over the dimensions along which `x` was broadcast. */
function unbroadcast(dy: Tensor, x: Tensor): Tensor {
  const extra = dy.shape.length - x.shape.length
  const axes = dy.shape.map((_, i) => i).filter((i) => i < extra || (x.shape[i - extra] === 1 && dy.shape[i] !== 1))
  if (axes.length === 0) return dy
  const summed = op.sum(dy, axes, true)
  return extra === 0 ? summed : reshapeTo(summed, x)
}

/** `dy` in the shape of `x`; a static reshape if at most one dimension is unknown. */
function reshapeTo(dy: Tensor, x: Tensor): Tensor {
  return x.shape.filter((d) => d === -1).length <= 1 ? op.reshape(dy, x.shape) : op.reshapeLike(dy, x)
}

/** The gradient of a reduction, with the reduced dimensions restored as size 1. */
function unreduce(dy: Tensor, x: Tensor, { axes, keepDims }: OpTable['sum']): Tensor {
  if (keepDims) return dy
  const shape = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  if (shape.filter((d) => d === -1).length > 1)
    throw new Error('reduce with keepDims where several dimensions are unknown')
  return op.reshape(dy, shape)
}

const none = () => []
const zero: Rule<OpName> = (_dy, _y, ...inputs) => inputs.map(() => undefined)
const notDifferentiable = (name: string) => (): never => {
  throw new Error(`${name} has no gradient`)
}

/** The differentiation rules: a plain table, one entry per operation. */
const rules: { [K in OpName]: Rule<K> } = {
  constant: none,
  input: none,
  variable: none,
  lookup: zero,
  neg: (dy) => [op.neg(dy)],
  exp: (dy, y) => [op.mul(dy, y)],
  log: (dy, _y, x) => [op.div(dy, x)],
  sqrt: (dy, y) => [op.div(op.mul(dy, 0.5), y)],
  rsqrt: (dy, y) => [op.mul(op.mul(dy, -0.5), op.mul(y, op.mul(y, y)))],
  floor: zero,
  cast: (dy, _y, x) => [x.dtype === 'float32' ? dy : undefined],
  activation: (dy, y, x) => [op.activationGrad(y.attrs.form, x, y, dy)],
  activationGrad: notDifferentiable('activationGrad'),
  add: (dy, _y, a, b) => [unbroadcast(dy, a), unbroadcast(dy, b)],
  sub: (dy, _y, a, b) => [unbroadcast(dy, a), unbroadcast(op.neg(dy), b)],
  mul: (dy, _y, a, b) => [unbroadcast(op.mul(dy, b), a), unbroadcast(op.mul(dy, a), b)],
  div: (dy, y, a, b) => [unbroadcast(op.div(dy, b), a), unbroadcast(op.neg(op.div(op.mul(dy, y), b)), b)],
  maximum: (dy, _y, a, b) => chosen(dy, op.greaterEqual(a, b), a, b),
  minimum: (dy, _y, a, b) => chosen(dy, op.greaterEqual(b, a), a, b),
  greater: zero,
  greaterEqual: zero,
  equal: zero,
  logicalAnd: zero,
  logicalNot: zero,
  select: (dy, _y, condition, a, b) => [undefined, ...chosen(dy, condition, a, b)],
  matmul: (dy, { attrs: { transposeA, transposeB, exact } }, a, b) => [
    transposeA
      ? op.matmul(b, dy, { transposeA: transposeB, transposeB: true, exact })
      : op.matmul(dy, b, { transposeB: !transposeB, exact }),
    transposeB
      ? op.matmul(dy, a, { transposeA: true, transposeB: transposeA, exact })
      : op.matmul(a, dy, { transposeA: !transposeA, exact }),
  ],
  sum: (dy, y, x) => [op.broadcastLike(unreduce(dy, x, y.attrs), x)],
  mean: (dy, y, x) => [op.broadcastLike(op.div(unreduce(dy, x, y.attrs), op.count(x, y.attrs.axes)), x)],
  max: (dy, y, x) => {
    const hit = op.cast(op.equal(x, unreduce(y, x, y.attrs)), 'float32')
    return [op.mul(hit, op.div(unreduce(dy, x, y.attrs), op.sum(hit, y.attrs.axes, true)))]
  },
  argMax: zero,
  count: zero,
  reshape: (dy, _y, x) => [reshapeTo(dy, x)],
  reshapeLike: (dy, _y, x) => [reshapeTo(dy, x), undefined],
  broadcastLike: (dy, _y, x) => [unbroadcast(dy, x), undefined],
  transpose: (dy, { attrs: { perm } }) => [
    op.transpose(
      dy,
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ],
  concat: (dy, { attrs: { axis } }, ...inputs) => {
    if (inputs.some((x) => x.shape[axis] === -1)) throw new Error('concat along an unknown dimension has no gradient')
    const starts = inputs.map((_, i) => inputs.slice(0, i).reduce((at, x) => at + x.shape[axis], 0))
    return inputs.map((x, i) => op.sliceAxis(dy, axis, starts[i], starts[i] + x.shape[axis]))
  },
  slice: (dy, { shape, attrs: { begin } }, x) => {
    // Along an unknown dimension the gradient assumes a slice that extends to the end.
    const after = x.shape.map((d, i) => (d === -1 ? 0 : d - begin[i] - shape[i]))
    return [op.pad(dy, begin, after)]
  },
  pad: (dy, { attrs: { before } }, x) => [op.slice(dy, before, x.shape)],
  gather: (dy, _y, x, ids) => [op.segmentSum(dy, ids, x), undefined],
  segmentSum: (dy, _y, _values, ids) => [op.gather(dy, ids), undefined, undefined],
  segmentMax: zero,
  oneHot: zero,
  range: zero,
  softmax: (dy, y) => [op.softmaxGrad(y, dy)],
  softmaxGrad: notDifferentiable('softmaxGrad'),
  layerNorm: (dy, y, x, gamma) => {
    const grads = op.layerNormGrad(x, gamma, dy, y.attrs.epsilon)
    return [op.part(grads, 0), op.part(grads, 1), op.part(grads, 2)]
  },
  layerNormGrad: notDifferentiable('layerNormGrad'),
  crossEntropy: notDifferentiable('crossEntropy as a whole'),
  uniform: zero,
  stopGradient: zero,
  block: (dy) => [dy],
  after: zero,
  // `inputs` are those of the operation that the part belongs to.
  part: (dy, y) => {
    const [whole] = y.inputs
    if (!isOp(whole, 'crossEntropy') || y.attrs.index !== 0) throw new Error(`part of ${whole.op} has no gradient`)
    return [op.mul(op.expandDims(dy, -1), op.part(whole, 1)), undefined]
  },
  assign: none,
  assignRows: none,
  emaUpdate: none,
  adam: none,
  adagrad: none,
  sgd: none,
  adamRows: none,
  adagradRows: none,
}

/** Passes the gradient to `a` where `condition` is true, else to `b`. */
function chosen(dy: Tensor, condition: Tensor, a: Tensor, b: Tensor): Tensor[] {
  return [unbroadcast(op.select(condition, dy, 0), a), unbroadcast(op.select(condition, 0, dy), b)]
}

/**
 * Gradients of the inputs of a block from the gradient `dy` of its output. The inside of the block is recomputed, and
 * only once `dy` is known, so that no intermediate result is stored (Chen et al. 2016, arXiv:1604.06174). Only tensors
 * in `wanted` get a gradient.
 */
function throughAgain(dy: Tensor, y: Tensor<'block'>, wanted: Set<Tensor>): [Tensor, Tensor][] {
  const { input } = y.attrs
  const [output] = y.inputs
  const again = new Map<Tensor, Tensor>([[input, op.after(input, dy)]])
  const outside = new Set<Tensor>()
  for (const n of ancestors([output])) {
    if (!n.inputs.some((i) => again.has(i))) continue
    for (const i of n.inputs) if (!again.has(i)) outside.add(i)
    const inputs = n.inputs.map((i) => again.get(i) ?? i)
    again.set(n, node(n.op, inputs, n.attrs, n.shape, n.dtype, n.outputs))
  }
  const sources = [input, ...outside].filter((x) => wanted.has(x))
  const found = gradients(
    again.get(output)!,
    sources.map((x) => again.get(x) ?? x),
    { seed: dy },
  )
  return sources.map((x, i) => [x, found[i]])
}

export interface GradientOptions {
  /** Gradient of the loss, 1 by default. With it the loss may have any shape: gradients are those of Σ loss·seed. */
  seed?: Tensor
  /** Recomputes the inside of every `block` in the backward pass: less memory, more time. */
  recompute?: boolean
}

/**
 * d `loss` / d x for each x of `wrt`, in the shape of x; `loss` is a scalar. Zeros if the loss does not depend on x.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[], options: GradientOptions = {}): Tensor[] {
  const { seed, recompute = false } = options
  if (!seed && loss.shape.length > 0) throw new Error(`gradients need a scalar loss, not [${loss.shape.join(',')}]`)
  const targets = new Set(wrt)
  const path = new Set<Tensor>()
  const nodes = ancestors([loss])
  for (const n of nodes) if (targets.has(n) || n.inputs.some((i) => path.has(i))) path.add(n)

  const arrived = new Map<Tensor, Tensor>([[loss, seed ?? op.constant(1, [])]])
  const give = (x: Tensor, g: Tensor) => arrived.set(x, arrived.has(x) ? op.add(arrived.get(x)!, g) : g)
  for (const y of nodes.reverse()) {
    const dy = arrived.get(y)
    if (!dy || !path.has(y)) continue
    if (recompute && isOp(y, 'block')) {
      for (const [x, g] of throughAgain(dy, y, path)) give(x, g)
      continue
    }
    const { inputs } = isOp(y, 'part') ? y.inputs[0] : y
    const rule = rules[y.op] as Rule<OpName>
    rule(dy, y, ...inputs).forEach((g, i) => {
      if (g && path.has(inputs[i])) give(inputs[i], g)
    })
  }
  return wrt.map((x) => arrived.get(x) ?? op.mul(x, 0))
}
