/** Loops over typed arrays for operations that the WASM backend lacks or does slowly. Arrays are dense and row-major. */
import type { Shape, TypedArray } from '../tensor.js'

/** `width` is the length of a row, here and below. */
export function softmaxGrad(y: Float32Array, dy: Float32Array, out: Float32Array, width: number): void {
  for (let row = 0; row < y.length; row += width) {
    let dot = 0
    for (let i = row; i < row + width; i++) dot += dy[i] * y[i]
    for (let i = row; i < row + width; i++) out[i] = (dy[i] - dot) * y[i]
  }
}

/** Mean and 1/σ of the `width` values from `row` on. */
function moments(x: Float32Array, row: number, width: number, epsilon: number): [number, number] {
  let mean = 0
  for (let i = row; i < row + width; i++) mean += x[i]
  mean /= width
  let variance = 0
  for (let i = row; i < row + width; i++) {
    const d = x[i] - mean
    variance += d * d
  }
  return [mean, 1 / Math.sqrt(variance / width + epsilon)]
}

export function layerNorm(
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  out: Float32Array,
  epsilon: number,
) {
  const width = gamma.length
  for (let row = 0; row < x.length; row += width) {
    const [mean, inverse] = moments(x, row, width, epsilon)
    for (let i = 0; i < width; i++) out[row + i] = (x[row + i] - mean) * inverse * gamma[i] + beta[i]
  }
}

export function layerNormGrad(
  x: Float32Array,
  gamma: Float32Array,
  dy: Float32Array,
  [dx, dGamma, dBeta]: Float32Array[],
  epsilon: number,
): void {
  const width = gamma.length
  dGamma.fill(0)
  dBeta.fill(0)
  for (let row = 0; row < x.length; row += width) {
    const [mean, inverse] = moments(x, row, width, epsilon)
    let mean1 = 0
    let mean2 = 0
    for (let i = 0; i < width; i++) {
      const standard = (x[row + i] - mean) * inverse
      const d = dy[row + i]
      dGamma[i] += d * standard
      dBeta[i] += d
      mean1 += d * gamma[i]
      mean2 += d * gamma[i] * standard
    }
    mean1 /= width
    mean2 /= width
    for (let i = 0; i < width; i++) {
      const standard = (x[row + i] - mean) * inverse
      dx[row + i] = inverse * (dy[row + i] * gamma[i] - mean1 - standard * mean2)
    }
  }
}

export function crossEntropy(logits: Float32Array, labels: Int32Array, [loss, grad]: Float32Array[]): void {
  const classes = logits.length / labels.length
  for (let r = 0; r < labels.length; r++) {
    const row = r * classes
    let top = -Infinity
    for (let i = row; i < row + classes; i++) top = Math.max(top, logits[i])
    let total = 0
    for (let i = row; i < row + classes; i++) total += Math.exp(logits[i] - top)
    for (let i = row; i < row + classes; i++) grad[i] = Math.exp(logits[i] - top) / total
    grad[row + labels[r]] -= 1
    loss[r] = top + Math.log(total) - logits[row + labels[r]]
  }
}

export function segmentMax(values: Float32Array, ids: Int32Array, out: Float32Array): void {
  const width = values.length / ids.length
  out.fill(-3.4028234663852886e38)
  for (let j = 0; j < ids.length; j++) {
    const to = ids[j] * width
    for (let i = 0; i < width; i++) out[to + i] = Math.max(out[to + i], values[j * width + i])
  }
}

export function oneHot(ids: Int32Array, out: Float32Array, depth: number): void {
  out.fill(0)
  for (let j = 0; j < ids.length; j++) if (ids[j] >= 0 && ids[j] < depth) out[j * depth + ids[j]] = 1
}

/** Numbers in a cache line. */
const cacheLine = 16
/** Rows of a block; a block fits in the L1 cache. */
export const blockOfRows = 64
/** Keeps the result of the reads, so that the compiler does not remove them. */
const lastRead = new Float64Array(1)

/**
 * Prefetches the rows `ids[from…to)` of a table into the cache. A loop that computes waits for each scattered row in
 * turn; here no computation depends on the values, so the cache misses overlap.
 */
export function touchRows(table: TypedArray, ids: Int32Array, from: number, to: number, width: number): void {
  let sum = 0
  for (let line = 0; line < width; line += cacheLine) {
    for (let j = from; j < to; j++) sum += table[ids[j] * width + line]
  }
  lastRead[0] = sum
}

/** `scale` times the rows `ids` of a table into `out` [ids, width]. */
export function gatherRows(table: TypedArray, ids: Int32Array, out: TypedArray, scale = 1): void {
  const width = out.length / ids.length
  for (let first = 0, at = 0; first < ids.length; first += blockOfRows) {
    const end = Math.min(first + blockOfRows, ids.length)
    touchRows(table, ids, first, end, width)
    for (let j = first; j < end; j++) {
      const from = ids[j] * width
      for (let i = from; i < from + width; i++) out[at++] = table[i] * scale
    }
  }
}

/**
 * Copies the block of shape `shape` that starts at `begin` in `x` to `out`. `strides` are those of `x`, in numbers; a
 * stride of 0 repeats a value.
 */
export function copyBlock(x: TypedArray, strides: readonly number[], begin: number, out: TypedArray, shape: Shape) {
  const last = shape.length - 1
  const [width, step] = last < 0 ? [1, 0] : [shape[last], strides[last]]
  const index = new Array<number>(Math.max(last, 0)).fill(0)
  for (let at = 0, from = begin; at < out.length; ) {
    if (step === 0) out.fill(x[from], at, at + width)
    else for (let i = 0; i < width; i++) out[at + i] = x[from + i]
    at += width
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
}

/** Sums over the middle dimension of x [outer, middle, inner]. */
export function sum(x: Float32Array, out: Float32Array, middle: number, inner: number): void {
  if (inner === 1) {
    sumRows(x, out, middle)
    return
  }
  const totals = new Float64Array(inner)
  for (let row = 0, at = 0; row < out.length; row += inner) {
    totals.fill(0)
    for (let j = 0; j < middle; j++) for (let i = 0; i < inner; i++) totals[i] += x[at++]
    out.set(totals, row)
  }
}

function sumRows(x: Float32Array, out: Float32Array, width: number): void {
  for (let row = 0, at = 0; row < out.length; row++) {
    let total = 0
    for (let i = 0; i < width; i++) total += x[at++]
    out[row] = total
  }
}

/** Uniform random numbers in [0, 1) from two seeds and a salt: a 32-bit hash of seed and position. */
export function uniform(seed: Int32Array, salt: number, out: Float32Array): void {
  let key = Math.imul(seed[0] + salt, 0x9e3779b1) ^ Math.imul(seed[1], 0x85ebca77)
  key ^= key >>> 15
  for (let i = 0; i < out.length; i++) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ key
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    out[i] = ((h ^ (h >>> 16)) >>> 8) / 2 ** 24
  }
}
