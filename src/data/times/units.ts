/** Units of times that are stored as numbers. */

export const timeUnits = ['s', 'ms', 'us', 'ns'] as const

/** Unit of times stored as numbers since 1970. */
export type TimeUnit = (typeof timeUnits)[number]

export const unitNames: Record<TimeUnit, string> = {
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
}

/** Microseconds in each unit. */
export const microsecondsIn: Record<TimeUnit, number> = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 }

/** Years in which the events of a log happen. They are so few that a number is such a time in one unit at most. */
export const plausibleYears = { from: 1990, to: 2099 }
const plausible = { from: Date.UTC(plausibleYears.from, 0) * 1e3, to: Date.UTC(plausibleYears.to + 1, 0) * 1e3 }

/** Whether a time, in microseconds since 1970, is in a plausible year. */
export function isPlausible(microseconds: number): boolean {
  return microseconds >= plausible.from && microseconds < plausible.to
}

/** Clocks may be wrong; none is right before this version of mim. */
const leastNow = Date.UTC(2026, 11)

/** The moment, in microseconds since 1970, from which times are in the future whatever the clock is: a year from now. */
export const futureFrom = () => (Math.max(Date.now(), leastNow) + 366 * 86_400e3) * 1e3

/**
 * Regular expression of a whole number that is a date and hour written as digits, as YYYYMMDDHH, perhaps with minutes,
 * seconds and their fraction, or with two digits of the year and minutes.
 */
export const calendarDigits = (() => {
  const [days, hour, sixty] = ['(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])', '([01][0-9]|2[0-3])', '[0-5][0-9]']
  const long = `(19|20)[0-9]{2}${days}(${hour}(${sixty}(${sixty}([0-9]{3}|[0-9]{6})?)?)?)?`
  const short = `[0-9]{2}${days}${hour}${sixty}(${sixty}([0-9]{3}|[0-9]{6})?)?`
  return `${long}|${short}`
})()

/** The only unit in which a number is a time in a plausible year; undefined if there is none. */
export function unitOf(value: number): TimeUnit | undefined {
  return timeUnits.find((unit) => isPlausible(value * microsecondsIn[unit]))
}

/** The year that each unit would give, e.g. `1970 in s, ms, us; 1969 in ns`. */
export function yearsOf(value: number): string {
  const years = new Map<string, string[]>()
  for (const unit of timeUnits) {
    const year = yearOf(value * microsecondsIn[unit])
    years.set(year, [...(years.get(year) ?? []), unit])
  }
  return [...years].map(([year, units]) => `${year} in ${units.join(', ')}`).join('; ')
}

/** Microseconds in a mean year of the calendar. */
const meanYear = 365.2425 * 86_400e6

function yearOf(microseconds: number): string {
  const date = new Date(microseconds / 1e3)
  // JavaScript's dates end in the year 275760.
  const isDate = !Number.isNaN(date.getTime())
  return String(isDate ? date.getUTCFullYear() : 1970 + Math.floor(microseconds / meanYear))
}

/** A time, in microseconds since 1970, as ISO 8601 in UTC, e.g. `2024-03-01T00:05:00Z`; far from today the year alone. */
export function isoText(microseconds: number): string {
  const date = new Date(Math.floor(microseconds / 1e3))
  if (Number.isNaN(date.getTime())) return `year ${yearOf(microseconds)}`
  return date.toISOString().replace(/\.000Z$/, 'Z')
}
