/** One line of `mim doctor`. */
export interface Finding {
  /** `note`: mim works, but could work better; `problem`: a part of mim does not work. */
  mark: 'ok' | 'note' | 'problem'
  what: string
  value: string
  /** How to solve it. */
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
