/** Facts of the data that a stage reads. The user sees them before training starts. */
import type { Warning } from '../base/warning.js'

/** What is in a table. Names are those in `metrics.json`. */
export interface TableFacts {
  /** Its role: `impressions`, `behaviors`, `items`, … */
  table: string
  path: string
  rows: number
  /** Distinct ids; in very large tables they are estimated. */
  users?: number
  items?: number
  approximate?: boolean
  /** First and last time, ISO 8601 in UTC. */
  from?: string
  to?: string
  /** How times are stored if they are not plain timestamps, e.g. `seconds since 1970`. */
  times?: string
  /** Share of impressions with a click. */
  click_rate?: number
  /** Rows by action. */
  actions?: Record<string, number>
  /** Of a table of vectors: numbers in each, and the least and the greatest norm of those that are not zero. */
  width?: number
  norms?: readonly [least: number, greatest: number]
  /** Columns of the file that the stage reads, and the others. */
  used: string[]
  unused: string[]
}

/** How many rows or ids of one table find their match in another. */
export interface JoinFacts {
  /** E.g. `impressions → items`. */
  join: string
  matched: number
  of: number
}

/** Collects what loading finds out. */
export class DataFacts {
  readonly tables: TableFacts[] = []
  readonly joins: JoinFacts[] = []
  /** Sentences on what the data lack and on what was dropped and why, e.g. `no pictures: titles alone`. */
  readonly notes: string[] = []
  readonly warnings: Warning[] = []

  warn(warning: Warning): void {
    this.warnings.push(warning)
  }
}
