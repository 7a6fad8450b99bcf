/** Mistakes of the user's are told in one line and end with exit code 2; everything else is ours and ends with 1. */

export interface Problem {
  /** Stable name that tests and scripts may rely on, e.g. `label-value`. */
  id: string
  /** What is wrong, quoting the user's own value. */
  what: string
  /** File, column, row (counted from 1) or config path where it is. */
  where?: string
  /** What would have been right. */
  expected?: string
  /** What to do about it. */
  remedy?: string
}

export class UserError extends Error {
  readonly id: string
  readonly exitCode = 2

  constructor({ id, what, where, expected, remedy }: Problem) {
    const place = where ? `${where}: ` : ''
    super(`${place}${what}${expected ? `; expected ${expected}` : ''}${remedy ? `; ${remedy}` : ''}`)
    this.name = 'UserError'
    this.id = id
  }
}

/** The run was interrupted on purpose; what it had reached is saved. */
export class Interrupted extends Error {
  readonly exitCode = 130

  constructor(readonly remedy: string) {
    super(`interrupted; ${remedy}`)
    this.name = 'Interrupted'
  }
}

/** What was thrown, as it goes from thread to thread: a UserError would not arrive as one. */
export interface Failure {
  error: Error
  /** That of a UserError. */
  id?: string
}

export function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return error instanceof UserError ? { error, id: error.id } : { error }
}

/** What was thrown, as it was before it went to another thread. */
export function errorOf({ error, id }: Failure): Error {
  return id === undefined ? error : new UserError({ id, what: error.message })
}

/** Text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
