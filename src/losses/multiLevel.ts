/**
 * Multi-level InfoNCE (MIM names it; the reading is ours): the same contrastive loss on several representations of
 * anchor and item, over one shared denominator of all negative pools or over one each.
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

/** One representation of the rows of a step; "present" is 1 where a row has it, else 0. */
export interface Level {
  name: string
  weight: number
  /** Unit vectors of the anchors that may have this representation: [n, d]. */
  anchors: Tensor
  anchorsPresent: Tensor
  /** Row of the step that each anchor is, int32 [n]. */
  rows: Tensor
  /** Unit vectors of the candidates, the rows' own items first: [columns, d]. */
  candidates: Tensor
  candidatesPresent: Tensor
  /** Where candidates from column `from` on were made by another encoder: what it makes of the rows' own items [n, d]. */
  aged?: { from: number; own: Tensor }
}

/** Columns [from, to) of the candidates that are negatives of one kind. */
export interface Pool {
  name: string
  from: number
  to: number
  /** Whether their logits are corrected for frequency, so that the positive's must be as well. */
  corrected: boolean
}

/** A term of the whole loss: Σ weight · loss. */
export interface Term {
  name: string
  weight: number
  loss: Tensor
}

export interface InfoNceOptions {
  /** Factor on cosines. */
  scale: Tensor
  /** Added to logits [rows, ≥ columns]: −1e9 takes a candidate out of a row's negatives. */
  bias: Tensor
  /** Weights of the rows [rows]. */
  rowWeights: Tensor
  /** Pools with a denominator each, the rows' own items first; a level's loss is their mean. Absent: one for all. */
  pools?: readonly Pool[]
}

/** InfoNCE of each level, and of each pool where these are separate: row i's positive is candidate i. */
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

/** Weighted mean over the rows of −log(e^positive / Σ e^candidate), over the pool's candidates and the positive. */
function infoNce(level: Level, { from, to, corrected }: Pool, { scale, bias, rowWeights }: InfoNceOptions): Tensor {
  const { anchors, anchorsPresent, rows, candidates, candidatesPresent, aged } = level
  const ofRows = gather(bias, rows)
  const cosines = matmul(anchors, sliceAxis(candidates, 0, from, to), { transposeB: true, exact: true }) // [n, to − from]
  const absent = mul(sub(1, sliceAxis(candidatesPresent, 0, from, to)), masked)
  const plain = add(add(mul(cosines, scale), sliceAxis(ofRows, 1, from, to)), reshape(absent, [1, to - from]))
  const logits = aged && aged.from < to ? add(plain, mul(drift(level, aged, from, to), scale)) : plain
  const surprise = () => {
    if (from === 0) return crossEntropy(logits, rows)
    // The positives are not among the columns.
    const own = mul(sum(mul(anchors, gather(candidates, rows)), -1, true), scale) // [n, 1]
    const onDiagonal = sum(mul(ofRows, oneHot(rows, bias.shape[1])), -1, true)
    const positive = corrected ? add(own, onDiagonal) : own
    return crossEntropy(concat([positive, logits], 1), constant(0, rows.shape, 'int32'))
  }
  // A row that lacks the representation on one side teaches nothing here.
  const both = mul(anchorsPresent, gather(candidatesPresent, rows))
  const weights = mul(gather(rowWeights, rows), both) // [n]
  return div(sum(mul(surprise(), weights)), add(sum(weights), 1e-6))
}

/**
 * How much nearer an anchor is to its item as it is now than as the other encoder has it, on that one's columns
 * [n, to − from]. Added there, it holds these against the item as that encoder has it: against the item as it is now
 * a network learns to tell the two encoders apart, and all its vectors move off in one direction.
 */
function drift({ anchors, rows, candidates }: Level, aged: { from: number; own: Tensor }, from: number, to: number) {
  const apart = sum(mul(anchors, sub(gather(candidates, rows), gather(aged.own, rows))), -1, true) // [n, 1]
  const isAged = Array.from({ length: to - from }, (_, column) => (from + column >= aged.from ? 1 : 0))
  return mul(apart, constant(isAged, [1, to - from]))
}
