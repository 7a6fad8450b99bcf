/** A market simulated from a seed: items, users, requests, clicks and purchases. */

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

/** Deterministic: the same size and seed give the same market. */
export function simulate(size: SampleSize, seed: number): Market {
  const extent = extentOf(size)
  const random = Random.of(seed)
  const items = makeCatalogue(extent.items, random.fork('items'))
  const users = makeUsers(extent.users, random.fork('users'))
  const requests = makeRequests(items, users, extent.impressions, random.fork('requests'))
  const log = makeClicks(items, users, requests, random.fork('clicks'))
  return { items, users, requests, log }
}
