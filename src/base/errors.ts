/** Errors of the user are reported in one line with exit code 2; all other errors are bugs and have exit code 1. */

import { brief, placeName, visible } from './visible.js'

/** Between the lines of a message that lists several problems. */
const lineBreak = '\n  '

export interface Problem {
  /** Stable name for tests and scripts, e.g. `label-value`. */
  id: string
  /** What is wrong, with the user's value; a list has a line each. */
  what: string | readonly string[]
  /** File, column, row (from 1) or config path. */
  where?: string
  /** What is allowed. */
  expected?: string
  /** How to solve it. */
  remedy?: string
}

export class UserError extends Error {
  readonly id: string
  readonly exitCode = 2

  constructor({ id, what, where, expected, remedy }: Problem, options?: ErrorOptions) {
    const place = where ? `${placeName(where)}: ` : ''
    const lines = [what].flat().map(brief).join(lineBreak)
    const rest = visible(`${expected ? `; expected ${expected}` : ''}${remedy ? `; ${remedy}` : ''}`)
    super(`${place}${lines}${rest}`, options)
    this.name = 'UserError'
    this.id = id
  }
}

/** The user interrupted the run; its progress is saved. The exit code says by which signal. */
export class Interrupted extends Error {
  constructor(readonly remedy: string) {
    super(`interrupted; ${remedy}`)
    this.name = 'Interrupted'
  }
}

/** An error to send to another thread: the class of a UserError would be lost. */
export interface Failure {
  error: Error
  /** The id of a UserError. */
  id?: string
}

export function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return error instanceof UserError ? { error, id: error.id } : { error }
}

/** The error that another thread sent. */
export function errorOf({ error, id }: Failure): Error {
  return id === undefined ? error : new UserError({ id, what: error.message.split(lineBreak) })
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
