import { brief, placeName, visible } from './visible.js'

/** A likely mistake that does not stop a run: shown in the terminal, the log, `metrics.json` and the report. */
export interface Warning {
  /** Stable name for tests and scripts, e.g. `leak`. */
  id: string
  /** File, column, row (from 1) or config path. */
  where?: string
  /** What is wrong, with the user's value. */
  what: string
  /** How to solve it. */
  remedy?: string
}

/** A warning in one line. */
export function warningText({ where, what, remedy }: Warning): string {
  return `warning: ${where ? `${placeName(where)}: ` : ''}${brief(what)}${remedy ? `; ${visible(remedy)}` : ''}`
}
