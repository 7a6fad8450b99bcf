import { type PositiveSource, searchesOf, searchPairs } from './source.js'

/** Pairs of the training part only: nobody chose these targets, so that they cannot serve as truth in an evaluation. */
export const queryExposure = {
  name: 'query-exposure',
  help: 'a search query and an item shown for it (training part only)',
  options: {
    exposureWeight: { default: 0.05, help: 'Loss weight of a query-exposure pair; being shown is the weakest signal' },
  },
  needs: searchesOf('impressions (action expose)'),
  pairs: ({ behaviors, partOf }, { exposureWeight }) =>
    searchPairs(
      `SELECT *, CAST(0 AS UTINYINT) AS part, CAST(NULL AS INTEGER) AS session FROM (${behaviors})
       WHERE action = 'expose' AND ${partOf('ts')} = 0`,
      exposureWeight,
    ),
} as const satisfies PositiveSource
