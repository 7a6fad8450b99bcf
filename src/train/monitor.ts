/** Which of two models is better. */
import { UserError } from '../base/errors.js'

/** Metrics by the end of their names, without a kind such as `_image` behind it. */
const greaterIsBetter = /(auc|mrr|recall_\d+)(_[a-z_]+)?$/
const lessIsBetter = /(loss|ece|median_rank)(_[a-z_]+)?$/

/**
 * Whether a greater value of a metric is better.
 * @throws UserError `monitor-unknown` for one that is not among `known`, or of which neither more nor less is better.
 */
export function isGreaterBetter(metric: string, known: readonly string[]): boolean {
  const directed = known.filter((name) => greaterIsBetter.test(name) || lessIsBetter.test(name))
  if (directed.includes(metric)) return greaterIsBetter.test(metric)
  throw new UserError({
    id: 'monitor-unknown',
    where: 'train.monitor',
    what: `'${metric}' tells no model to be better than another`,
    expected: `one of ${directed.join(', ')}`,
  })
}
