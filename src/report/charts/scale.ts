/** From numbers to places and words. */

export type Range = readonly [low: number, high: number]

/** Maps `from` onto `to`; results have two decimals, which is a hundredth of a pixel. */
export function linear([a, b]: Range, [c, d]: Range): (x: number) => number {
  return (x) => Math.round((c + ((x - a) / (b - a)) * (d - c)) * 100) / 100
}

/** Least and greatest of the finite values; undefined without any. */
export function extent(values: readonly number[]): Range | undefined {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return undefined
  const first: Range = [finite[0], finite[0]]
  return finite.reduce<Range>(([low, high], x) => [Math.min(low, x), Math.max(high, x)], first)
}

/** A range of one value is widened around it, so that it can be drawn. */
export function widened([low, high]: Range): Range {
  if (low < high) return [low, high]
  const room = Math.abs(low) / 10 || 1
  return [low - room, high + room]
}

/** Round numbers inside the range: steps of 1, 2 or 5 times a power of ten, about `about` of them. */
export function ticks([low, high]: Range, about = 5): number[] {
  const step = stepOf([low, high], about)
  const first = Math.ceil(low / step - 1e-9)
  const count = Math.floor(high / step + 1e-9) - first + 1
  return Array.from({ length: count }, (_, i) => tidy((first + i) * step))
}

/** The range stretched to round numbers on both sides. */
export function rounded([low, high]: Range, about = 5): Range {
  const step = stepOf([low, high], about)
  return [tidy(Math.floor(low / step + 1e-9) * step), tidy(Math.ceil(high / step - 1e-9) * step)]
}

function stepOf([low, high]: Range, about: number): number {
  const raw = (high - low) / about
  const power = 10 ** Math.floor(Math.log10(raw))
  return power * ([1, 2, 5].find((m) => m * power >= raw * 0.999) ?? 10)
}

const tidy = (x: number) => Number(x.toPrecision(12))

/** As short as it can be told: 0.25, 12,000, 5e-4; – for what is no number. */
export function short(x: number): string {
  if (!Number.isFinite(x)) return '–'
  if (x !== 0 && Math.abs(x) < 1e-3) return Number(x.toPrecision(2)).toExponential().replace('-', '−')
  const text = Number(x.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 })
  return text.replace('-', '−')
}

/** A result in full: whole numbers as they are, others with four decimals, or one from 100 on. */
export function exact(x: number): string {
  if (!Number.isFinite(x)) return '–'
  const digits = Number.isInteger(x) ? 0 : Math.abs(x) < 100 ? 4 : 1
  const text = x.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return text.replace('-', '−')
}

/** A time span: 41 s, 5 min 23 s, 2 h 4 min. */
export function duration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
}
