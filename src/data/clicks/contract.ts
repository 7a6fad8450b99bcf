import type { Table, TimeUnit } from '../tables/contract.js'

/** A table, or one each for the parts that it is split into. */
export type ImpressionPaths = string | { train: string; valid: string; test: string }

export interface ImpressionOptions {
  impressions: ImpressionPaths
  /** Behaviors table; not read where the history is a column. */
  behaviors: string
  columns: {
    user: string | null
    item: string
    label: string
    weight?: string | null
    time: string | null
    action: string
    history: string | null
  }
  timeUnit: TimeUnit
  actions: readonly string[]
  /** Longest history. */
  length: number
  /** Id that fills up listed histories. */
  padding: string | number | null
  /** May labels be missing, as where impressions are to be scored? They are 0 then. */
  unlabeled?: boolean
}

export interface ImpressionTables {
  impressions: Table
  behaviors: Table | undefined
}

/** DuckDB tables that `loadImpressions` leaves: ids with their dense numbers. */
export const userNumbers = 'user_numbers'

export const itemNumbers = 'all_item_numbers'
