/**
 * Multi-level InfoNCE, in our reading of MIM: the same contrastive loss on several representations of query and item.
 * The negatives of all pools share one denominator, or each pool has its own.
 */
import { masked } from '../nn/attention.js'
import {
  add,
  concat,
  constant,
  crossEntropy,
  div,
  gather,
  matmul,
  mul,
  oneHot,
  reshape,
  sliceAxis,
  sub,
  sum,
  type Tensor,
} from '../ops/index.js'

/** One representation of the rows of a step. A `…Present` is 1 where a row has the representation, else 0. */
export interface Level {
  name: string
  weight: number
  /** Unit vectors of the queries that may have this representation [n, d]. */
  anchors: Tensor
  /** [n] */
  anchorsPresent: Tensor
  /** Row of the step of each anchor, int32 [n]. */
  rows: Tensor
  /** Unit vectors of the candidates [columns, d]; the positive of row i of the step is candidate i. */
  candidates: Tensor
  /** [columns] */
  candidatesPresent: Tensor
  /** If another encoder made the candidates from column `from` on: its vectors of the positives of all rows [batch, d]. */
  aged?: { from: number; own: Tensor }
}

/** Columns [from, to) of the candidates: negatives of one kind. */
export interface Pool {
  name: string
  from: number
  to: number
  /** Whether the bias of its logits contains the logQ correction; the positive then gets it too. */
  corrected: boolean
}

/** A term of a loss Σ weight · loss. */
export interface Term {
  name: string
  weight: number
  loss: Tensor
}

export interface InfoNceOptions {
  /** Factor on cosines. */
  scale: Tensor
  /** Added to logits [batch, ≥ columns]; −1e9 takes a candidate out of the negatives of a row. */
  bias: Tensor
  /** [batch] */
  rowWeights: Tensor
  /** Pools with a denominator each, the positives' own pool first; the loss of a level is their mean. Absent: one for all. */
  pools?: readonly Pool[]
}

/** InfoNCE of each level, and of each pool if the denominators are separate. */
export function multiLevelInfoNce(levels: readonly Level[], options: InfoNceOptions): Term[] {
  return levels.flatMap((level) => {
    const columns = level.candidates.shape[0]
    const pools = options.pools?.filter(({ from, to }) => from < to && to <= columns)
    const terms = pools ?? [{ name: '', from: 0, to: columns, corrected: true }]
    return terms.map((pool) => ({
      name: pools ? `${level.name}_${pool.name}` : level.name,
      weight: level.weight / terms.length,
      loss: infoNce(level, pool, options),
    }))
  })
}

export const weightedSum = (terms: readonly Term[]): Tensor =>
  terms.map(({ weight, loss }) => mul(loss, weight)).reduce((a, b) => add(a, b))

/** Weighted mean over the rows of −ln(e^positive / Σ e^candidate), where Σ is over the pool and the positive. */
function infoNce(level: Level, { from, to, corrected }: Pool, { scale, bias, rowWeights }: InfoNceOptions): Tensor {
  const { anchors, anchorsPresent, rows, candidates, candidatesPresent, aged } = level
  const ofRows = gather(bias, rows) // [n, columns of the bias]
  const cosines = matmul(anchors, sliceAxis(candidates, 0, from, to), { transposeB: true, exact: true }) // [n, to − from]
  const absent = mul(sub(1, sliceAxis(candidatesPresent, 0, from, to)), masked) // [to − from]
  const plain = add(add(mul(cosines, scale), sliceAxis(ofRows, 1, from, to)), reshape(absent, [1, to - from]))
  const logits = aged && aged.from < to ? add(plain, mul(drift(level, aged, from, to), scale)) : plain
  const losses = () => {
    if (from === 0) return crossEntropy(logits, rows)
    // The positives are not among the columns.
    const own = mul(sum(mul(anchors, gather(candidates, rows)), -1, true), scale) // [n, 1]
    const onDiagonal = sum(mul(ofRows, oneHot(rows, bias.shape[1])), -1, true) // [n, 1]
    const positive = corrected ? add(own, onDiagonal) : own
    return crossEntropy(concat([positive, logits], 1), constant(0, rows.shape, 'int32'))
  }
  // A row counts only if both query and positive have the representation.
  const both = mul(anchorsPresent, gather(candidatesPresent, rows)) // [n]
  const weights = mul(gather(rowWeights, rows), both) // [n]
  return div(sum(mul(losses(), weights)), add(sum(weights), 1e-6))
}

/**
 * Correction of the logits of aged columns [n, to − from]: cosine of an anchor with the current vector of its positive
 * minus that with the vector of the positive by the other encoder. With it, aged negatives compete against the aged
 * vector of the positive. Against the current vector the network learns to distinguish the two encoders, and all vectors
 * move in one direction.
 */
function drift({ anchors, rows, candidates }: Level, aged: { from: number; own: Tensor }, from: number, to: number) {
  const difference = sum(mul(anchors, sub(gather(candidates, rows), gather(aged.own, rows))), -1, true) // [n, 1]
  const isAged = Array.from({ length: to - from }, (_, column) => (from + column >= aged.from ? 1 : 0))
  return mul(difference, constant(isAged, [1, to - from]))
}
