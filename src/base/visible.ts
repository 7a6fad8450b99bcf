/** Text of the user in messages: every message stays a line of moderate length, whatever values it quotes. */

/** Characters that move the cursor, color the terminal or reorder text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
const invisible = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text with line breaks and control characters as escapes: `\n`, `\u001b`. */
export const visible = (text: string) =>
  text.replace(invisible, (one) => short[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Longer words, and longer quoted values, are cut in the middle [characters]. */
const longest = 200

/** Longer texts are cut in the middle before anything else: to look through them takes time and stack [characters]. */
const endless = 2000

/** The text, visible, with long words and long quoted values cut in the middle: their ends identify them. */
export const brief = (text: string) =>
  visible(text.length > endless ? `${text.slice(0, endless / 2)}…${text.slice(-endless / 2)}` : text).replace(
    new RegExp(`(?<=^|[\\s(:=,[])'[^']{${longest + 1},}'|\\S{${longest + 1},}`, 'gu'),
    cut,
  )

/** Longer paths are longer than what systems allow, or nobody reads them to their end [characters]. */
const longestPath = 1000

/** The name of a place, visible; a very long one is cut in the middle. */
export const placeName = (text: string) => visible(text.length > longestPath ? cut(text) : text)

function cut(value: string): string {
  const characters = Array.from(value)
  const half = longest / 2
  return `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`
}
