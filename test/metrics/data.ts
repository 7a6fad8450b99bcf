import { Random } from '../../src/base/random.js'

export const f32 = (...values: number[]) => Float32Array.from(values)
export const f64 = (...values: number[]) => Float64Array.from(values)
export const i32 = (...values: number[]) => Int32Array.from(values)

export interface Rows {
  labels: Uint8Array
  scores: Float32Array
  groups: Int32Array
}

/** Rows with scores that correlate with labels; few `levels` give many ties. */
export function randomRows(n: number, { seed = 1, levels = 1000, groups = 10 } = {}): Rows {
  const source = Random.of(seed)
  const labels = Uint8Array.from({ length: n }, () => source.int(2))
  return {
    labels,
    scores: Float32Array.from(labels, (label) => Math.floor((source.uniform() + label / 3) * levels) / levels - 0.5),
    groups: Int32Array.from({ length: n }, () => source.int(groups)),
  }
}

export function randomVectors(n: number, d: number, source: Random): Float32Array {
  return Float32Array.from({ length: n * d }, () => source.uniform() - 0.5)
}

/** AUC by its definition: every pair of a positive and a negative. */
export function pairwiseAuc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  let won = 0
  let pairs = 0
  for (let i = 0; i < labels.length; i++) {
    for (let j = 0; j < labels.length; j++) {
      if (labels[i] !== 1 || labels[j] !== 0) continue
      pairs++
      if (scores[i] > scores[j]) won++
      else if (scores[i] === scores[j]) won += 0.5
    }
  }
  return won / pairs
}

export function close(actual: number, expected: number, tolerance = 1e-9): void {
  if (!(Math.abs(actual - expected) <= tolerance))
    throw new Error(`${actual} is not within ${tolerance} of ${expected}`)
}
