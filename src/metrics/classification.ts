import { nearestItems } from './nearest.js'
import { countVectors } from './vectors.js'

/**
 * Share of the rows of `vectors` [n·d] whose nearest one of `classes` [c·d], by inner product, is their own,
 * `labels` [n] naming it; rows of label −1 are left out. With unit vectors of prompts as classes this is the
 * zero-shot accuracy of CLIP (arXiv:2103.00020). NaN without labeled rows.
 */
export function nearestClassAccuracy(vectors: Float32Array, classes: Float32Array, d: number, labels: Int32Array) {
  const rows = labeled(labels)
  const hits = rows.filter((row) => nearestItems(rowOf(vectors, d, row), classes, 1)[0] === labels[row])
  return hits.length / rows.length
}

/**
 * Share of the labeled rows of `vectors` [n·d] whose label is the one that most of the k nearest others have, by
 * inner product; of equally frequent labels the one whose rows are nearer counts. NaN with fewer than two.
 */
export function neighborAccuracy(vectors: Float32Array, d: number, labels: Int32Array, k: number): number {
  countVectors('vectors', vectors, d)
  const rows = labeled(labels)
  if (rows.length < 2) return Number.NaN
  const unlabeled = Array.from(labels.keys()).filter((row) => labels[row] < 0)
  const hits = rows.filter((row) => {
    const found = nearestItems(rowOf(vectors, d, row), vectors, k, new Set([...unlabeled, row]))
    return commonest(found.map((item) => labels[item])) === labels[row]
  })
  return hits.length / rows.length
}

/** Share of the commonest label among the labeled: the accuracy of one who always says it. */
export function majorityShare(labels: Int32Array): number {
  const rows = labeled(labels)
  const top = commonest(rows.map((row) => labels[row]))
  return rows.filter((row) => labels[row] === top).length / rows.length
}

const labeled = (labels: Int32Array) => Array.from(labels.keys()).filter((row) => labels[row] >= 0)
const rowOf = (vectors: Float32Array, d: number, row: number) => vectors.subarray(row * d, (row + 1) * d)

/** The first of the most frequent values. */
function commonest(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  let best: number | undefined
  for (const [value, count] of counts) if (best === undefined || count > counts.get(best)!) best = value
  return best
}
