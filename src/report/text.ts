/** Results as plain text. */
import type { Difference } from '../metrics/index.js'

/** Four decimals; a dash for NaN. */
export const four = (x: number) => (Number.isNaN(x) ? '–' : x.toFixed(4))

/** A value of any kind: fractions with four decimals, whole numbers and words as they are. */
export const shown = (value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? four(value) : String(value)

export const signed = (x: number) => (Number.isNaN(x) ? '–' : `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(4)}`)

/** `+0.0123 [+0.0100, +0.0150]`. */
export const interval = ({ difference, low, high }: Difference) =>
  `${signed(difference)} [${signed(low)}, ${signed(high)}]`

/** `0.7574 ± 0.0011`; the mean alone for a single run. */
export const spread = (mean: number, deviation: number, runs: number) =>
  runs > 1 ? `${four(mean)} ± ${four(deviation)}` : four(mean)

export const capitalized = (text: string) => text[0].toUpperCase() + text.slice(1)

/** Lines of cells, each column as wide as its widest cell. */
export function aligned(rows: readonly string[][]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length)))
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd()
  return rows.map((cells) => `${line(cells)}\n`).join('')
}

/** A Markdown table; the first row is the header. */
export function markdown([header, ...rows]: readonly string[][]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}
