/** A market made up from a seed: items, users, and what they did. */

import { Random } from '../../base/random.js'
import { type Item, makeCatalogue } from './catalogue.js'
import { type Impressions, makeClicks } from './clicks.js'
import { extentOf, type SampleSize } from './parameters.js'
import { makeRequests, type Request } from './requests.js'
import { makeUsers, type User } from './taste.js'

export interface Market {
  items: Item[]
  users: User[]
  requests: Request[]
  log: Impressions
}

/** The same market for the same size and seed, always. */
export function simulate(size: SampleSize, seed: number): Market {
  const extent = extentOf(size)
  const random = Random.of(seed)
  const items = makeCatalogue(extent.items, random.fork('items'))
  const users = makeUsers(extent.users, random.fork('users'))
  const requests = makeRequests(items, users, extent.impressions, random.fork('requests'))
  const log = makeClicks(items, users, requests, random.fork('clicks'))
  return { items, users, requests, log }
}
