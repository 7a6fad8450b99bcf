import { type PositiveSource, searchesOf, searchPairs } from './source.js'

export const queryPurchase = {
  name: 'query-purchase',
  help: 'a search query and an item purchased after it',
  options: { purchaseWeight: { default: 1, help: 'Loss weight of a query-purchase pair' } },
  needs: searchesOf('purchases'),
  pairs: ({ takes }, { purchaseWeight }) =>
    searchPairs(`SELECT * FROM ${takes} WHERE action = 'purchase'`, purchaseWeight),
} as const satisfies PositiveSource
