import { itemPairs, type PositiveSource } from './source.js'

/**
 * Consecutive choices of a user: the earlier item is the query, the later one the target. The pairs of a user (N_u in a
 * part) weigh 1/N_u each, so that a user with many pairs counts no more than one with few.
 */
export const session = {
  name: 'session',
  help: 'two consecutive choices of a user within sessionMinutes; the earlier item is the query',
  options: {},
  needs: () => 'two choices of a user in a session',
  pairs: (log) =>
    itemPairs(
      `(SELECT *, lag(item) OVER w AS query_item, lag(ts) OVER w AS before FROM (${log.choices()})
          WINDOW w AS (PARTITION BY usr ORDER BY ts, place))
       WHERE query_item IS NOT NULL AND query_item <> item
         AND ts - before <= ${Math.round(log.options.sessionMinutes * 60e6)}`,
      '1.0 / count(*) OVER (PARTITION BY usr, part)',
    ),
} as const satisfies PositiveSource
