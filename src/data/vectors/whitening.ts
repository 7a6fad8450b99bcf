/**
 * PCA whitening of content vectors (Su et al. 2021, arXiv:2103.15316). Fine-tuned vectors concentrate in few directions,
 * so most cosines are large and similar; centered and decorrelated vectors distinguish items better.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { type ContentTable, quantize } from './contentTable.js'

export interface Whitening {
  /** [width] */
  mean: number[]
  /** [width, kept], row-major: principal directions by descending variance, each divided by its deviation^power. */
  directions: number[]
}

export interface WhitenOptions {
  /** Most dimensions to keep. */
  kept: number
  /** Power of the standard deviation that directions are divided by: 1 whitens, 0 only centers and rotates. */
  power: number
}

/** Most vectors to learn from, evenly spaced. */
const maxSamples = 20_000
/** Directions with less than this share of the largest variance are rounding noise. */
const minVariance = 1e-6

/**
 * Learns a whitening to at most `kept` dimensions from the vectors at `rows` of the table. With a `power` below 1,
 * directions of more variance keep more weight, because those of little variance are mostly noise.
 */
export function fitWhitening(
  { vectors, width, scale }: ContentTable,
  rows: ArrayLike<number>,
  { kept, power }: WhitenOptions,
): Whitening {
  const step = Math.max(1, rows.length / maxSamples)
  const samples = Int32Array.from({ length: Math.min(rows.length, maxSamples) }, (_, i) => rows[Math.floor(i * step)])
  const mean = new Float64Array(width)
  for (const row of samples)
    for (let j = 0; j < width; j++) mean[j] += (scale * vectors[row * width + j]) / samples.length
  const covariance = new Float64Array(width * width)
  const centered = new Float64Array(width)
  for (const row of samples) {
    for (let j = 0; j < width; j++) centered[j] = scale * vectors[row * width + j] - mean[j]
    for (let i = 0; i < width; i++) {
      const x = centered[i] / samples.length
      for (let j = 0; j <= i; j++) covariance[i * width + j] += x * centered[j]
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) covariance[j * width + i] = covariance[i * width + j]
  const { realEigenvalues: variances, eigenvectorMatrix: eigenvectors } = new EigenvalueDecomposition(
    Matrix.from1DArray(width, width, covariance),
    { assumeSymmetric: true },
  )
  const order = variances.map((_, i) => i).sort((a, b) => variances[b] - variances[a])
  const strong = order.slice(0, kept).filter((i) => variances[i] > minVariance * variances[order[0]])
  const directions = Array.from(mean).flatMap((_, j) =>
    strong.map((i) => eigenvectors.get(j, i) / variances[i] ** (power / 2)),
  )
  return { mean: Array.from(mean), directions }
}

/** The table with whitened unit vectors; items without a vector still have none. */
export function whiten(content: ContentTable, { mean, directions }: Whitening): ContentTable {
  const { vectors, width, rows, type, scale: contentScale } = content
  const kept = directions.length / width
  const whitened = new Float32Array(rows * kept)
  const sums = new Float64Array(kept)
  let largest = 0
  // Row 0 means "no vector".
  for (let row = 1; row < rows; row++) {
    sums.fill(0)
    for (let j = 0; j < width; j++) {
      const x = contentScale * vectors[row * width + j] - mean[j]
      for (let k = 0; k < kept; k++) sums[k] += x * directions[j * kept + k]
    }
    const length = Math.hypot(...sums) || 1
    for (let k = 0; k < kept; k++) {
      whitened[row * kept + k] = sums[k] / length
      largest = Math.max(largest, Math.abs(sums[k] / length))
    }
  }
  if (type === 'float32') return { ...content, width: kept, vectors: whitened, scale: 1 }
  const scale = largest / 127 || 1
  const small = new Int8Array(whitened.length)
  quantize(whitened, scale, small, 0)
  return { ...content, width: kept, vectors: small, scale }
}
