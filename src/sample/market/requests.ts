/** Who asked for what and when, and what was shown in return; nothing here depends on clicks. */

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
  /** The attributes that were asked for; relevance is the share of them that an item has. */
  asked: Partial<Attributes>
}

export interface Request {
  /** Index of the user. */
  user: number
  /** Microseconds since 1970. */
  ts: number
  /** None in the feed. */
  query?: Query
  /** Indices of the items shown, first position first. */
  shown: number[]
}

/** All requests in order of time, about `impressions` items shown in all. */
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

interface Asking {
  items: Item[]
  exposure: Exposure
  user: User
  u: number
  ts: number
}

function makeRequest({ items, exposure, user, u, ts }: Asking, random: Random): Request {
  const { shown, kinds, inMind } = parameters.requests
  const count = shown[0] + random.int(shown[1] - shown[0] + 1)
  const kind = (['feed', 'text', 'photo'] as const)[random.weighted([kinds.feed, kinds.text, kinds.photo])]
  if (kind === 'feed') return { user: u, ts, shown: exposure.draw(count, ts, random) }

  // The user asks for something like an item that is there to be found, chosen by taste from the few in mind.
  const known = exposure.draw(inMind, ts, random)
  const wanted = items[known[random.weighted(known.map((i) => Math.exp(match(user.taste, items[i].attributes))))]]
  const query = kind === 'text' ? askInWords(wanted, random) : askByPhoto(wanted, random)
  return { user: u, ts, query, shown: answer(query, items, exposure, wanted.attributes.category, count, ts, random) }
}

function askInWords({ attributes }: Item, random: Random): Query {
  const { text, told } = queryFor(attributes, random)
  return { text, asked: Object.fromEntries(told.map((field) => [field, attributes[field]])) }
}

/** A photo of another product of the same category, mostly of the same color and pattern. */
function askByPhoto({ attributes }: Item, random: Random): Query {
  const { photoKeeps } = parameters.requests
  const asked = {
    category: attributes.category,
    color: random.chance(photoKeeps) ? attributes.color : random.int(vocabulary.color),
    pattern: random.chance(photoKeeps) ? attributes.pattern : random.int(vocabulary.pattern),
  }
  return { photo: { attributes: asked, look: drawLook(random) }, asked }
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

/** Share of what was asked for that an item has, from 0 to 1; 0 with no query. */
export function relevance(query: Query | undefined, item: Attributes): number {
  if (!query) return 0
  const asked = Object.entries(query.asked) as [keyof Attributes, number][]
  return asked.filter(([field, value]) => item[field] === value).length / asked.length
}

/** Draws different items that have arrived by `ts`, by popularity, from one category or from all; fewer if need be. */
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

/** Draws by cumulative popularity; what is drawn twice or has not arrived is put back. */
function makeUrn(items: Item[], members: Int32Array) {
  const upTo = new Float64Array(members.length)
  let total = 0
  for (const [m, i] of members.entries()) upTo[m] = total += items[i].popularity
  return (count: number, ts: number, random: Random): number[] => {
    const drawn = new Set<number>()
    // A small urn may not hold as many items as are asked for.
    for (let tries = 8 * count; members.length > 0 && drawn.size < count && tries > 0; tries--) {
      const item = members[lowerBound(upTo, random.uniform() * total)]
      if (items[item].createdAt <= ts) drawn.add(item)
    }
    return [...drawn]
  }
}

/** Times of a user's requests, ascending and at least a minute apart; some follow the one before as in one visit. */
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
