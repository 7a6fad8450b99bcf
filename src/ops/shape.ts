import { describe, node, positiveAxis, type Shape, sizeOf, type Tensor } from './tensor.js'

/** The same elements in another shape; at most one dimension of it may be -1 (inferred). */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const size = sizeOf(x.shape)
  const known = shape.filter((d) => d !== -1).reduce((a, b) => a * b, 1)
  const unknowns = shape.filter((d) => d === -1).length
  const impossible = size !== -1 && (unknowns ? size % known !== 0 : size !== known)
  if (unknowns > 1 || impossible) throw new Error(`reshape: ${describe(x)} does not fit [${shape.join(',')}]`)
  const resolved = size === -1 ? shape : shape.map((d) => (d === -1 ? size / known : d))
  return node('reshape', [x], { shape }, resolved, x.dtype)
}

/** The same elements in the shape that `like` has when the program runs. */
export function reshapeLike(x: Tensor, like: Tensor): Tensor {
  return node('reshapeLike', [x, like], {}, like.shape, x.dtype)
}

/** `x` repeated along its dimensions of size 1 (and missing leading ones) to the shape of `like`. */
export function broadcastLike(x: Tensor, like: Tensor): Tensor {
  return node('broadcastLike', [x, like], {}, like.shape, x.dtype)
}

/** Inserts a dimension of size 1 before `axis` (-1: at the end). */
export function expandDims(x: Tensor, axis: number): Tensor {
  const at = axis < 0 ? x.shape.length + 1 + axis : axis
  const shape = [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]
  if (shape.filter((d) => d === -1).length > 1)
    throw new Error(`expandDims: ${describe(x)} has several unknown dimensions`)
  return reshape(x, shape)
}

export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  if (perm.length !== x.shape.length) throw new Error(`transpose: [${perm.join(',')}] does not fit ${describe(x)}`)
  return node(
    'transpose',
    [x],
    { perm },
    perm.map((axis) => x.shape[axis]),
    x.dtype,
  )
}

export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0]
  const at = positiveAxis(axis, first.shape.length)
  const sizes = tensors.map((t) => t.shape[at])
  const size = sizes.includes(-1) ? -1 : sizes.reduce((a, b) => a + b, 0)
  const shape = first.shape.map((d, i) => (i === at ? size : Math.max(d, ...tensors.map((t) => t.shape[i]))))
  return tensors.length === 1 ? first : node('concat', tensors, { axis: at }, shape, first.dtype)
}

/** The block that starts at `begin`; a `size` of -1 reaches to the end of its dimension. */
export function slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  const shape = size.map((s, i) => (s !== -1 ? s : x.shape[i] === -1 ? -1 : x.shape[i] - begin[i]))
  return node('slice', [x], { begin, size }, shape, x.dtype)
}

/** Elements `from` to `to` (exclusive) along one axis. */
export function sliceAxis(x: Tensor, axis: number, from: number, to: number): Tensor {
  const at = positiveAxis(axis, x.shape.length)
  const along = (value: number, other: number) => x.shape.map((_, i) => (i === at ? value : other))
  return slice(x, along(from, 0), along(to - from, -1))
}

/** Zeros before and after `x` along each dimension. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  const shape = x.shape.map((d, i) => (d === -1 ? -1 : d + before[i] + after[i]))
  return node('pad', [x], { before, after }, shape, x.dtype)
}
