import { type PositiveSource, searchesOf, searchPairs } from './source.js'

export const queryClick = {
  name: 'query-click',
  help: 'a search query and an item clicked after it',
  options: {
    clickWeight: {
      default: 0.5,
      help: 'Loss weight of a query-click pair; a click is a weaker signal than a purchase',
    },
  },
  needs: searchesOf('clicks'),
  pairs: ({ takes }, { clickWeight }) => searchPairs(`SELECT * FROM ${takes} WHERE action = 'click'`, clickWeight),
} as const satisfies PositiveSource
