/** Scales of charts, and numbers as text. */
import { type ScaleLinear, scaleLinear } from 'd3-scale'

export type Range = readonly [low: number, high: number]

const toHundredths = (from: number, to: number) => (t: number) => Math.round((from + (to - from) * t) * 100) / 100

/** A linear scale from `domain` to pixels, which are rounded to two decimals. */
export const linear = (domain: Range, pixels: Range): ScaleLinear<number, number> =>
  scaleLinear(domain, pixels).interpolate(toHundredths)

/** The smallest and greatest finite value; undefined without any. */
export function extent(values: readonly number[]): Range | undefined {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return undefined
  return finite.reduce<Range>(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [finite[0], finite[0]])
}

/** Widens a range of a single value around it, so that it can be drawn. */
export function widened([low, high]: Range): Range {
  if (low < high) return [low, high]
  const margin = Math.abs(low) / 10 || 1
  return [low - margin, high + margin]
}

/** A number for an axis: 0.25, 12,000, 5e−4; – if it is not finite. */
export function short(x: number): string {
  if (!Number.isFinite(x)) return '–'
  if (x !== 0 && Math.abs(x) < 1e-3) return Number(x.toPrecision(2)).toExponential().replace('-', '−')
  const text = Number(x.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 })
  return text.replace('-', '−')
}

/** A result: whole numbers as they are, others with four decimals, from 100 on with one; – if it is not finite. */
export function exact(x: number): string {
  if (!Number.isFinite(x)) return '–'
  const digits = Number.isInteger(x) ? 0 : Math.abs(x) < 100 ? 4 : 1
  const text = x.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return text.replace('-', '−')
}

/** A duration: 41 s, 5 min 23 s, 2 h 4 min. */
export function duration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
}
