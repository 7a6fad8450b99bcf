import type { BehaviorColumns, BehaviorLog } from '../log.js'

/** Kinds of query: a picture, a text, or an item that the user chose before. */
export const queryKinds = ['image', 'text', 'product'] as const
export type QueryKind = (typeof queryKinds)[number]

/** A number above 0 that the configuration sets, below `positives`. */
export interface SourceOption {
  default: number
  integer?: true
  help: string
}

/** Content vectors of all items, [items, width] of unit norm. */
export interface ContentVectors {
  vectors: Float32Array
  width: number
}

/** A rule that makes positive pairs (query, target) from the behaviors. */
export interface PositiveSource {
  /** Its name in the configuration, the report and the ablation table. */
  name: string
  /** What a pair of it is, for `mim config sft`. */
  help: string
  options: Record<string, SourceOption>
  /** Requirement on the log; part of the error when no pair is found. */
  needs(columns: BehaviorColumns): string
  /**
   * SELECT of its pairs, with the columns of `pairColumns`. Pairs of the training part may use only behaviors of that
   * part. `content` computes the content vectors of stage 1.
   */
  pairs(
    log: BehaviorLog,
    options: Record<string, number>,
    content: () => Promise<ContentVectors>,
  ): string | Promise<string>
}

/** Columns of a SELECT of pairs, in this order, without `source`: the query, then its target and the rest. */
const pairColumns = (kind: QueryKind, [text, image, item]: [string, string, string], weight: string) =>
  `${queryKinds.indexOf(kind)} AS kind, CAST(${text} AS VARCHAR) AS query_text, CAST(${image} AS VARCHAR) AS query_image,
    CAST(${item} AS INTEGER) AS query_item, CAST(${weight} AS FLOAT) AS weight, usr, item, ts, part, request, session`

/** Pairs of the rows of `behaviors`; the query of a row is the item in its column `query_item`. */
export const itemPairs = (behaviors: string, weight: string) =>
  `SELECT ${pairColumns('product', ['NULL', 'NULL', 'query_item'], weight)} FROM ${behaviors}`

/**
 * Pairs of the rows of `behaviors` that have a search query: one by its picture, one by its text. A behavior that is
 * repeated for the same item in the same request counts once, when it is first made.
 */
export function searchPairs(behaviors: string, weight: number): string {
  const byKind = (kind: QueryKind, column: string) => `(
    SELECT DISTINCT ON (usr, request, item, ${column})
      ${pairColumns(kind, ['query_text', 'query_image', 'NULL'], String(weight))}
    FROM (${behaviors}) WHERE ${column} IS NOT NULL ORDER BY ts)`
  return `${byKind('image', 'query_image')} UNION ALL ${byKind('text', 'query_text')}`
}

/** `needs` of the sources that use search queries. */
export const searchesOf = (actions: string) => (columns: BehaviorColumns) =>
  `queries in '${columns.queryText}' or '${columns.queryImage}' of ${actions}`
