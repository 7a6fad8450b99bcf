import { nearestItems } from './nearest.js'
import { countVectors } from './vectors.js'

/**
 * Accuracy of predicting for each row of `vectors` [n·d] the class with the greatest inner product among `classes`
 * [c·d]; `labels` [n] are the true classes, rows with label −1 are left out. With unit vectors of prompts as classes
 * this is the zero-shot accuracy of CLIP (arXiv:2103.00020). NaN without labeled rows.
 */
export function nearestClassAccuracy(vectors: Float32Array, classes: Float32Array, d: number, labels: Int32Array) {
  const rows = labeled(labels)
  const hits = rows.filter((row) => nearestItems(rowOf(vectors, d, row), classes, 1)[0] === labels[row])
  return hits.length / rows.length
}

/**
 * Accuracy of the k-nearest-neighbor classifier on the labeled rows of `vectors` [n·d], by inner product, leaving out
 * the row itself; among equally frequent labels the one with the nearest row wins. NaN with fewer than two such rows.
 */
export function neighborAccuracy(vectors: Float32Array, d: number, labels: Int32Array, k: number): number {
  countVectors('vectors', vectors, d)
  const rows = labeled(labels)
  if (rows.length < 2) return Number.NaN
  const unlabeled = Array.from(labels.keys()).filter((row) => labels[row] < 0)
  const hits = rows.filter((row) => {
    const found = nearestItems(rowOf(vectors, d, row), vectors, k, new Set([...unlabeled, row]))
    return mostFrequent(found.map((item) => labels[item])) === labels[row]
  })
  return hits.length / rows.length
}

/** Share of the most frequent label among labeled rows: the accuracy of always predicting it. */
export function majorityShare(labels: Int32Array): number {
  const rows = labeled(labels)
  const top = mostFrequent(rows.map((row) => labels[row]))
  return rows.filter((row) => labels[row] === top).length / rows.length
}

const labeled = (labels: Int32Array) => Array.from(labels.keys()).filter((row) => labels[row] >= 0)
const rowOf = (vectors: Float32Array, d: number, row: number) => vectors.subarray(row * d, (row + 1) * d)

/** The most frequent value; the first one among equals. */
function mostFrequent(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  let best: number | undefined
  for (const [value, count] of counts) if (best === undefined || count > counts.get(best)!) best = value
  return best
}
