/**
 * PCA whitening of content vectors (Su et al. 2021, arXiv:2103.15316). Vectors that learned from choices huddle in few
 * directions, so that most cosines are large and alike; centered and made uncorrelated they tell more items apart.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { type ContentTable, quantize } from './contentTable.js'

export interface Whitening {
  /** [width] */
  mean: number[]
  /** [width, kept], row by row: directions of most variance first, each divided by a power of the deviation along it. */
  directions: number[]
}

export interface WhitenOptions {
  /** Directions, at most. */
  kept: number
  /** Of the deviation along a direction, by which it is divided: 1, whitened, to 0, only centered and turned. */
  power: number
}

/** Vectors that it is learned from, at most; evenly drawn. */
const most = 20_000
/** Directions of less variance than this share of the largest are noise of rounding. */
const least = 1e-6

/**
 * Learns to whiten, to at most `kept` numbers, from the vectors at `rows` of the table. With a `power` below 1 of the
 * deviations, directions of more variance go on to count for more: what varies least is mostly noise.
 */
export function fitWhitening(
  { vectors, width, scale }: ContentTable,
  rows: ArrayLike<number>,
  { kept, power }: WhitenOptions,
): Whitening {
  const step = Math.max(1, rows.length / most)
  const drawn = Int32Array.from({ length: Math.min(rows.length, most) }, (_, i) => rows[Math.floor(i * step)])
  const mean = new Float64Array(width)
  for (const row of drawn) for (let j = 0; j < width; j++) mean[j] += (scale * vectors[row * width + j]) / drawn.length
  const covariance = new Float64Array(width * width)
  const centered = new Float64Array(width)
  for (const row of drawn) {
    for (let j = 0; j < width; j++) centered[j] = scale * vectors[row * width + j] - mean[j]
    for (let i = 0; i < width; i++) {
      const x = centered[i] / drawn.length
      for (let j = 0; j <= i; j++) covariance[i * width + j] += x * centered[j]
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) covariance[j * width + i] = covariance[i * width + j]
  const { realEigenvalues: variances, eigenvectorMatrix: turned } = new EigenvalueDecomposition(
    Matrix.from1DArray(width, width, covariance),
    { assumeSymmetric: true },
  )
  const order = variances.map((_, i) => i).sort((a, b) => variances[b] - variances[a])
  const strong = order.slice(0, kept).filter((i) => variances[i] > least * variances[order[0]])
  const directions = Array.from(mean).flatMap((_, j) =>
    strong.map((i) => turned.get(j, i) / variances[i] ** (power / 2)),
  )
  return { mean: Array.from(mean), directions }
}

/** The table with whitened vectors of length 1; what had no vector still has none. */
export function whiten(content: ContentTable, { mean, directions }: Whitening): ContentTable {
  const { vectors, width, rows, type, scale: stored } = content
  const kept = directions.length / width
  const made = new Float32Array(rows * kept)
  const sums = new Float64Array(kept)
  let largest = 0
  // Row 0 means "no vector".
  for (let row = 1; row < rows; row++) {
    sums.fill(0)
    for (let j = 0; j < width; j++) {
      const x = stored * vectors[row * width + j] - mean[j]
      for (let k = 0; k < kept; k++) sums[k] += x * directions[j * kept + k]
    }
    const length = Math.hypot(...sums) || 1
    for (let k = 0; k < kept; k++) {
      made[row * kept + k] = sums[k] / length
      largest = Math.max(largest, Math.abs(sums[k] / length))
    }
  }
  if (type === 'float32') return { ...content, width: kept, vectors: made, scale: 1 }
  const scale = largest / 127 || 1
  const small = new Int8Array(made.length)
  quantize(made, scale, small, 0)
  return { ...content, width: kept, vectors: small, scale }
}
