/** One line of `mim doctor`. */
export interface Finding {
  /** `ok`: as it should be; `note`: mim runs, but something could be better; `problem`: something does not work. */
  mark: 'ok' | 'note' | 'problem'
  what: string
  value: string
  /** What to do about it. */
  remedy?: string
}

export const ok = (what: string, value: string): Finding => ({ mark: 'ok', what, value })
export const note = (what: string, value: string, remedy: string): Finding => ({ mark: 'note', what, value, remedy })
export const problem = (what: string, value: string, remedy: string): Finding => ({
  mark: 'problem',
  what,
  value,
  remedy,
})
