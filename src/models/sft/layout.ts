/** Where the rows and columns of a C-SFT step are. */
import { concat, constant, sliceAxis, type Tensor } from '../../ops/index.js'
import type { Modality } from '../encoder.js'

/** Sizes of a step: pairs by kind of query, and its negatives other than the targets of other pairs. */
export interface SftSizes {
  image: number
  text: number
  product: number
  /** Hard negatives. */
  hard: number
  /** Vectors in the queue. */
  queue: number
  /** Towers that run: those of the modalities that any item or query has. */
  towers: readonly Modality[]
}

/** Consecutive rows, or columns: [from, to). */
export interface Range {
  from: number
  to: number
  count: number
}

/** Rows of a tower's input. */
export interface TowerLayout {
  /** Search queries of the tower's own kind. */
  searches: Range
  /** Products that are queries. */
  products: Range
  /** Both of these. */
  queries: Range
  targets: Range
  /** Targets, then hard negatives. */
  items: Range
  count: number
}

export interface RowLayout {
  /** Number of pairs. */
  batch: number
  /** Rows of the pairs by kind of query. */
  pairs: Record<'image' | 'text' | 'product', Range>
  tower: Record<Modality, TowerLayout>
  /** Columns of the logits: the targets of all pairs, then the other negatives. */
  columns: { targets: Range; hard: Range; queue: Range; count: number }
}

/** The only place that knows in which order a step's pairs, tower inputs and logits are. */
export function rowLayout(s: SftSizes): RowLayout {
  const batch = s.image + s.text + s.product
  const [image, text, product] = consecutive(s.image, s.text, s.product)
  const [targets, hard, queue] = consecutive(batch, s.hard, s.queue)
  const tower = (modality: Modality): TowerLayout => {
    const [searches, products, targets, hard] = consecutive(s[modality], s.product, batch, s.hard)
    return {
      searches,
      products,
      queries: range(searches.from, products.to),
      targets,
      items: range(targets.from, hard.to),
      count: hard.to,
    }
  }
  return {
    batch,
    pairs: { image, text, product },
    tower: { image: tower('image'), text: tower('text') },
    columns: { targets, hard, queue, count: queue.to },
  }
}

const range = (from: number, to: number): Range => ({ from, to, count: to - from })

/** Ranges of the given lengths, one after another from 0. */
function consecutive(...counts: number[]): Range[] {
  let to = 0
  return counts.map((count) => {
    to += count
    return range(to - count, to)
  })
}

/** The rows `range` of `x` [rows, …]. */
export const take = (x: Tensor, { from, to }: Range) => sliceAxis(x, 0, from, to)

/** The rows of all `parts`, without the empty ones. */
export function join(parts: readonly Tensor[]): Tensor {
  const filled = parts.filter(({ shape }) => shape[0] > 0)
  return filled.length > 1 ? concat(filled, 0) : (filled[0] ?? parts[0])
}

/** The row numbers of all `ranges`, int32 [rows]. */
export function rowNumbers(...ranges: readonly Range[]): Tensor {
  const numbers = ranges.flatMap(({ from, count }) => Array.from({ length: count }, (_, i) => from + i))
  return constant(numbers, [numbers.length], 'int32')
}
