import { Random } from '../base/random.js'
import { countVectors, dot } from './vectors.js'

/**
 * Mean pairwise cosine from which vectors count as collapsed [ours]. The mean cosine is about the
 * squared length of the mean unit vector: at 0.9 all items share nine tenths of their vectors.
 * Uniform directions give 0; usable CLIP spaces, which fill a narrow cone, stay well below 0.9.
 */
export const COLLAPSED_COSINE = 0.9

/** Maximum number of vectors that `uniformity` compares pairwise. */
export const UNIFORMITY_VECTORS = 2048

/**
 * Mean cosine over all pairs of different rows, exact in O(n·d): with unit vectors u_i it is
 * (‖Σ u_i‖² − n) / (n (n − 1)). `vectors` [n·d] of any length; zero rows have no direction and
 * are left out; NaN with fewer than two other rows.
 */
export function meanPairwiseCosine(vectors: Float32Array, d: number): number {
  const units = unitRows(vectors, d)
  const n = units.length / d
  if (n < 2) return Number.NaN
  const sum = new Float64Array(d)
  for (let i = 0; i < units.length; i++) sum[i % d] += units[i]
  return (dot(sum, 0, sum, 0, d) - n) / (n * (n - 1))
}

/** Whether a mean pairwise cosine means that all vectors have nearly the same direction; false for NaN. */
export function isCollapsed(meanCosine: number, threshold = COLLAPSED_COSINE): boolean {
  return meanCosine >= threshold
}

/**
 * Alignment E‖x − y‖^α over positive pairs of unit vectors, 0 the best (Wang & Isola 2020,
 * arXiv:2005.10242). Row i of `x` [n·d] is paired with row i of `y` [n·d]; both are normalized
 * first; pairs with a zero row are left out; NaN if none is left.
 */
export function alignment(x: Float32Array, y: Float32Array, d: number, alpha = 2): number {
  const n = countVectors('x', x, d)
  if (countVectors('y', y, d) !== n) throw new Error(`y has ${y.length / d} rows; expected ${n}, one a row of x`)
  let sum = 0
  let pairs = 0
  for (let at = 0; at < x.length; at += d) {
    const lengths = Math.sqrt(dot(x, at, x, at, d) * dot(y, at, y, at, d))
    if (lengths === 0) continue
    sum += squaredDistance(dot(x, at, y, at, d) / lengths) ** (alpha / 2)
    pairs++
  }
  return sum / pairs
}

export interface UniformityOptions {
  /** Sharpness of the Gaussian potential; default 2, as in the paper. */
  t?: number
  /** Maximum number of vectors, sampled without replacement; default 2048. */
  limit?: number
  /** Seed of the sample; default 0. */
  seed?: number
}

/**
 * Uniformity log E exp(−t ‖x − y‖²) over pairs of different rows of unit length; lower is more
 * uniform; 0 if all coincide (Wang & Isola 2020, arXiv:2005.10242). `vectors` [n·d] of any
 * length; zero rows are left out; NaN with fewer than two other rows. Exact for up to `limit` rows.
 */
export function uniformity(vectors: Float32Array, d: number, options: UniformityOptions = {}): number {
  const { t = 2, limit = UNIFORMITY_VECTORS, seed = 0 } = options
  const units = unitRows(vectors, d)
  const starts = drawRows(units.length / d, limit, seed).map((row) => row * d)
  let sum = 0
  for (let i = 1; i < starts.length; i++) {
    for (let j = 0; j < i; j++) sum += Math.exp(-t * squaredDistance(dot(units, starts[i], units, starts[j], d)))
  }
  return Math.log(sum / ((starts.length * (starts.length - 1)) / 2))
}

/** ‖x − y‖² of unit vectors from their cosine, which rounding may push above 1. */
function squaredDistance(cosine: number): number {
  return Math.max(0, 2 - 2 * cosine)
}

/** Normalized rows of `vectors` without zero rows [m·d], m ≤ n. */
function unitRows(vectors: Float32Array, d: number): Float64Array {
  countVectors('vectors', vectors, d)
  const units = new Float64Array(vectors.length)
  let end = 0
  for (let at = 0; at < vectors.length; at += d) {
    const length = Math.sqrt(dot(vectors, at, vectors, at, d))
    if (length === 0) continue
    for (let k = 0; k < d; k++) units[end + k] = vectors[at + k] / length
    end += d
  }
  return units.subarray(0, end)
}

/** A sample of `limit` of the rows 0 … n − 1 without replacement, or all rows. */
function drawRows(n: number, limit: number, seed: number): Uint32Array {
  const rows = Uint32Array.from({ length: n }, (_, row) => row)
  if (n <= limit) return rows
  const random = Random.of(seed)
  for (let i = 0; i < limit; i++) {
    const j = i + random.int(n - i)
    const drawn = rows[j]
    rows[j] = rows[i]
    rows[i] = drawn
  }
  return rows.subarray(0, limit)
}
