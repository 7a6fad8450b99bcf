/** Requests: user, time, query and the items shown; independent of clicks. */

import type { Random } from '../../base/random.js'
import { lowerBound } from '../../metrics/order.js'
import { type Attributes, vocabulary } from './attributes.js'
import { day, type Item, logStart, second } from './catalogue.js'
import { drawLook, type Pictured } from './drawing.js'
import { parameters } from './parameters.js'
import { match, type User } from './taste.js'
import { queryFor } from './wording.js'

export interface Query {
  text?: string
  photo?: Pictured
  /** The requested attributes; relevance is the share of them that an item has. */
  attributes: Partial<Attributes>
}

export interface Request {
  /** Index of the user. */
  user: number
  /** Microseconds since 1970. */
  ts: number
  /** Absent for the feed. */
  query?: Query
  /** Indices of the items shown, in order of position. */
  shown: number[]
}

/** All requests in order of time, with about `impressions` shown items in total. */
export function makeRequests(items: Item[], users: User[], impressions: number, random: Random): Request[] {
  const exposure = makeExposure(items)
  const [fewest, most] = parameters.requests.shown
  const perActivity = impressions / ((fewest + most) / 2) / users.reduce((sum, { activity }) => sum + activity, 0)
  const requests = users.flatMap((user, u) => {
    const of = random.fork(u)
    const times = drawTimes(Math.max(1, Math.round(user.activity * perActivity)), of.fork('times'))
    return times.map((ts, r) => makeRequest({ items, exposure, user, u, ts }, of.fork(r)))
  })
  return requests.sort((a, b) => a.ts - b.ts || a.user - b.user)
}

interface RequestContext {
  items: Item[]
  exposure: Exposure
  user: User
  u: number
  ts: number
}

function makeRequest({ items, exposure, user, u, ts }: RequestContext, random: Random): Request {
  const { shown, kinds, inMind } = parameters.requests
  const count = shown[0] + random.int(shown[1] - shown[0] + 1)
  const kind = (['feed', 'text', 'photo'] as const)[random.weighted([kinds.feed, kinds.text, kinds.photo])]
  if (kind === 'feed') return { user: u, ts, shown: exposure.draw(count, ts, random) }

  // The user searches for something like an existing item, chosen by taste from a few in mind.
  const known = exposure.draw(inMind, ts, random)
  const wanted = items[known[random.weighted(known.map((i) => Math.exp(match(user.taste, items[i].attributes))))]]
  const query = kind === 'text' ? textQuery(wanted, random) : photoQuery(wanted, random)
  return { user: u, ts, query, shown: answer(query, items, exposure, wanted.attributes.category, count, ts, random) }
}

function textQuery({ attributes }: Item, random: Random): Query {
  const { text, named } = queryFor(attributes, random)
  return { text, attributes: Object.fromEntries(named.map((field) => [field, attributes[field]])) }
}

/** A photo of another product of the same category, mostly of the same color and pattern. */
function photoQuery({ attributes }: Item, random: Random): Query {
  const { photoKeeps } = parameters.requests
  const pictured = {
    category: attributes.category,
    color: random.chance(photoKeeps) ? attributes.color : random.int(vocabulary.color),
    pattern: random.chance(photoKeeps) ? attributes.pattern : random.int(vocabulary.pattern),
  }
  return { photo: { attributes: pictured, look: drawLook(random) }, attributes: pictured }
}

/** The most relevant of some candidates, with noise (Gumbel top-k: a draw without replacement ∝ exp(ranking)). */
function answer(
  query: Query,
  items: Item[],
  exposure: Exposure,
  category: number,
  count: number,
  ts: number,
  random: Random,
): number[] {
  const { candidates, sameCategory, ranking } = parameters.requests
  const alike = exposure.draw(Math.round(candidates * sameCategory), ts, random, category)
  const pool = [...new Set([...alike, ...exposure.draw(candidates - alike.length, ts, random)])]
  return pool
    .map((item) => ({
      item,
      score: ranking * relevance(query, items[item].attributes) - Math.log(random.exponential() + 1e-9),
    }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
    .map(({ item }) => item)
}

/** Share of the requested attributes that an item has, from 0 to 1; 0 without a query. */
export function relevance(query: Query | undefined, item: Attributes): number {
  if (!query) return 0
  const requested = Object.entries(query.attributes) as [keyof Attributes, number][]
  return requested.filter(([field, value]) => item[field] === value).length / requested.length
}

/** Draws distinct items that have arrived by `ts`, by popularity, from one category or from all; fewer if necessary. */
interface Exposure {
  draw(count: number, ts: number, random: Random, category?: number): number[]
}

function makeExposure(items: Item[]): Exposure {
  const all = makeUrn(items, Int32Array.from(items.keys()))
  const byCategory = Array.from({ length: vocabulary.category }, (_, category) =>
    makeUrn(
      items,
      Int32Array.from(items.keys()).filter((i) => items[i].attributes.category === category),
    ),
  )
  return {
    draw: (count, ts, random, category) => (category === undefined ? all : byCategory[category])(count, ts, random),
  }
}

/** Draws by cumulative popularity; draws again if an item repeats or has not arrived. */
function makeUrn(items: Item[], members: Int32Array) {
  const upTo = new Float64Array(members.length)
  let total = 0
  for (const [m, i] of members.entries()) upTo[m] = total += items[i].popularity
  return (count: number, ts: number, random: Random): number[] => {
    const drawn = new Set<number>()
    // A small urn may contain fewer than `count` items.
    for (let tries = 8 * count; members.length > 0 && drawn.size < count && tries > 0; tries--) {
      const item = members[lowerBound(upTo, random.uniform() * total)]
      if (items[item].createdAt <= ts) drawn.add(item)
    }
    return [...drawn]
  }
}

/** Times of a user's requests, ascending and at least a minute apart; some belong to the same visit as the previous. */
function drawTimes(count: number, random: Random): number[] {
  const { days, hours, sameVisit } = parameters.log
  const times: number[] = []
  while (times.length < count) {
    if (times.length > 0 && random.chance(sameVisit)) {
      times.push(times[times.length - 1] + Math.floor(random.between(60, 600) * second))
    } else {
      const hour = random.int(days) * 24 + random.weighted(hours)
      times.push(logStart + Math.floor((hour + random.uniform()) * (day / 24)))
    }
  }
  times.sort((a, b) => a - b)
  for (let i = 1; i < count; i++) times[i] = Math.max(times[i], times[i - 1] + 60 * second)
  return times
}
