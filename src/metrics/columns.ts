import { UserError } from '../base/errors.js'

/** One 0 or 1 per row [n]. */
export type Labels = ArrayLike<number>

/** One score per row [n], a logit or a probability. ±Infinity is allowed, NaN is not. */
export type Scores = Float32Array | Float64Array

/** Throws if a column has another length than the table: an internal error, not the user's. */
export function checkLength(name: string, length: number, rows: number): void {
  if (length !== rows) throw new Error(`${name} has ${length} rows; expected ${rows}, as many as labels`)
}

/**
 * Refuses a NaN score (`score-nan`) and a label other than 0 and 1
 * (`label-value`). Errors count rows from 1.
 */
export function checkScored(labels: Labels, scores: Scores): void {
  checkLength('scores', scores.length, labels.length)
  for (let row = 0; row < scores.length; row++) {
    if (labels[row] !== 0 && labels[row] !== 1) {
      throw new UserError({
        id: 'label-value',
        what: `label ${labels[row]}`,
        where: `row ${row + 1}`,
        expected: '0 or 1',
      })
    }
    if (Number.isNaN(scores[row])) {
      throw new UserError({
        id: 'score-nan',
        what: 'score NaN',
        where: `row ${row + 1}`,
        expected: 'a number',
        remedy: 'check the log: training may have diverged',
      })
    }
  }
}

/** As `checkScored`; also refuses a score outside [0, 1] (`probability-range`). */
export function checkProbabilities(labels: Labels, probabilities: Scores): void {
  checkScored(labels, probabilities)
  for (let row = 0; row < probabilities.length; row++) {
    if (probabilities[row] < 0 || probabilities[row] > 1) {
      throw new UserError({
        id: 'probability-range',
        what: `probability ${probabilities[row]}`,
        where: `row ${row + 1}`,
        expected: 'a number from 0 to 1',
        remedy: 'apply the sigmoid to logits first',
      })
    }
  }
}

/** Groups are numbered 0, 1, …; returns the greatest number + 1. Numbers may be unused. */
export function countGroups(groups: Int32Array, rows: number): number {
  checkLength('groups', groups.length, rows)
  let count = 0
  for (let row = 0; row < groups.length; row++) {
    if (groups[row] < 0) throw new Error(`group ${groups[row]} in row ${row + 1}; expected 0 or more`)
    if (groups[row] >= count) count = groups[row] + 1
  }
  return count
}

/**
 * A sum that keeps what each addition rounds off (Neumaier 1974). It is the correctly rounded one but in rare cases, so
 * that the order of the rows, and who adds, does not matter.
 */
export class Sum {
  private sum = 0
  private lost = 0

  add(x: number): void {
    const next = this.sum + x
    this.lost += Math.abs(this.sum) >= Math.abs(x) ? this.sum - next + x : x - next + this.sum
    this.sum = next
  }

  get value(): number {
    return this.sum + this.lost
  }
}
