/** Decides which of two models is better. */
import { UserError } from '../base/errors.js'
import { metricOf } from '../metrics/index.js'

/**
 * Whether a greater value of a metric is better.
 * @throws UserError `monitor-unknown` if it is not among `known`, or if neither more nor less of it is better.
 */
export function isGreaterBetter(metric: string, known: readonly string[]): boolean {
  const directed = known.filter((name) => metricOf(name)?.better)
  if (directed.includes(metric)) return metricOf(metric)!.better === 'greater'
  throw new UserError({
    id: 'monitor-unknown',
    where: 'train.monitor',
    what: `'${metric}' is no metric that says which model is better`,
    expected: `one of ${directed.join(', ')}`,
  })
}
