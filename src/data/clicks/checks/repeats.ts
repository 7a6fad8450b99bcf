/** Finds rows that a log has several times: a log that was loaded twice, or clicks that were appended to impressions. */
import type { DataFacts } from '../../facts.js'
import type { Column } from '../../tables/column.js'
import type { ClickPlan } from '../plan.js'
import type { Clicks } from '../read.js'

/** Least share of rows that are copies, and of impressions that have both labels. */
const leastCopies = 0.1
const leastBoth = 0.01
/** Microseconds: copies are no fault where times are days or hours. */
const hour = 3600e6

/**
 * Warns (`rows-repeated`) of impressions and behaviors that are copies of the row before, and (`labels-differ`) of
 * impressions that are in the log once with each label. Both are sorted by all that is compared.
 */
export function checkRepeats({ tables, columns }: ClickPlan, { impressions }: Clicks, facts: DataFacts): void {
  const { time, user, item, label, behaviorTime, behaviorItem } = impressions
  if (columns.user !== null && columns.time !== null) {
    const shown = compared([time, user, item], label)
    warnOfCopies(`${tables.paths[0]}`, 'impressions', shown, facts)
    if (shown.differing >= leastBoth * shown.rows) {
      const what = `${percent(shown.differing, shown.rows)} of the impressions are there with label 0 and with label 1, at the same time`
      const remedy = 'write one row per impression, with label 1 if it was clicked'
      facts.warn({ id: 'labels-differ', where: tables.paths[0], what, remedy })
    }
  }
  if (tables.behaviors) {
    warnOfCopies(tables.behaviors.path, 'behaviors', compared([behaviorTime, behaviorItem]), facts)
  }
}

interface Repeats {
  rows: number
  /** Rows equal to the row before, and rows that differ from it in the last column alone. */
  copies: number
  differing: number
}

/** Compares each row with the one before; none is a copy where the first column, the time, has whole hours only. */
function compared(keys: readonly Column<'float64' | 'int32'>[], last?: Column<'uint8'>): Repeats {
  const found: Repeats = { rows: keys[0].length, copies: 0, differing: 0 }
  let areHours = true
  for (const { from, values: times } of keys[0].blocks()) {
    // The row before the block is compared with its first.
    const start = Math.max(0, from - 1)
    const columns = keys.map((key) => key.read(start, from + times.length))
    const labels = last?.read(start, from + times.length)
    for (let i = 0; i < times.length && areHours; i++) areHours = times[i] % hour === 0
    for (let i = 1; i < columns[0].length; i++) {
      if (columns.some((values) => values[i] !== values[i - 1])) continue
      if (labels && labels[i] !== labels[i - 1]) found.differing++
      else found.copies++
    }
  }
  return areHours ? { rows: found.rows, copies: 0, differing: 0 } : found
}

function warnOfCopies(where: string, of: string, { rows, copies }: Repeats, facts: DataFacts): void {
  if (copies < leastCopies * rows || copies === 0) return
  const what = `${percent(copies, rows)} of the ${of} are copies of another: same user, item and time`
  facts.warn({ id: 'rows-repeated', where, what, remedy: 'drop the copies, unless they are meant' })
}

const percent = (count: number, of: number) => `${((100 * count) / of).toFixed(1)} %`
