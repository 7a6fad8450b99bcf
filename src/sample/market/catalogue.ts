/** The items of a sample: attributes, time of arrival, exposure. */

import type { Random } from '../../base/random.js'
import { type Attributes, brands, categories, materialsOf, patterns, priceLevels, vocabulary } from './attributes.js'
import { drawLook, type Look, type PictureFormat } from './drawing.js'
import { parameters } from './parameters.js'
import { titleOf } from './wording.js'

/** Microseconds in a second and in a day. */
export const second = 1_000_000
export const day = 86_400 * second

/** First moment of the log, in microseconds since 1970. */
export const logStart = Date.parse(parameters.log.startsAt) * 1_000

export interface Item {
  id: bigint
  attributes: Attributes
  look: Look
  title: string | null
  /** null: no picture. */
  picture: PictureFormat | null
  price: number
  /** Microseconds since 1970; a whole second. */
  createdAt: number
  /** Relative exposure. */
  popularity: number
  /** Part of the log-odds of a click that content does not determine. */
  quality: number
}

/** `count` items in order of id; ids carry no other information. */
export function makeCatalogue(count: number, random: Random): Item[] {
  const { missing, quality } = parameters.items
  const ids = makeIds(count, random.fork('ids'))
  const arrivals = makeArrivals(count, random.fork('arrivals'))
  // In one random order the first items lack the title and the next ones the picture: never both.
  const lacking = random.fork('missing').shuffle(Int32Array.from({ length: count }, (_, i) => i))
  const titleless = new Set(lacking.slice(0, Math.round(missing.title * count)))
  const pictureless = new Set(lacking.slice(titleless.size, titleless.size + Math.round(missing.picture * count)))

  return ids.map((id, i) => {
    const of = random.fork(i)
    const attributes = drawAttributes(of)
    const title = titleOf(attributes, of.fork('title'))
    const format = of.pick(['jpeg', 'jpeg', 'jpeg', 'png', 'webp'] as const)
    return {
      id,
      attributes,
      look: drawLook(of.fork('look')),
      title: titleless.has(i) ? null : title,
      picture: pictureless.has(i) ? null : format,
      price: priceOf(attributes, of),
      ...arrivals[i],
      quality: quality * of.normal(),
    }
  })
}

function drawAttributes(random: Random): Attributes {
  const category = random.int(vocabulary.category)
  const brand = random.int(vocabulary.brand)
  return {
    category,
    color: random.int(vocabulary.color),
    pattern: random.weighted(patterns.map(({ weight }) => weight)),
    material: random.pick(materialsOf(category)),
    brand,
    priceLevel: random.chance(0.6) ? brands[brand].priceLevel : random.int(vocabulary.priceLevel),
  }
}

function priceOf({ category, priceLevel }: Attributes, random: Random): number {
  const price = categories[category].price * priceLevels[priceLevel] * Math.exp(0.15 * random.normal())
  return Math.round(price * 100) / 100
}

/** Ascending ids with gaps; the last ones are above 2^53, where neighboring integers are the same double. */
function makeIds(count: number, random: Random): bigint[] {
  const huge = Math.round(count * parameters.items.hugeIds)
  let id = 10_000n
  return Array.from({ length: count }, (_, i) => {
    if (i === count - huge) id = 2n ** 53n
    id += BigInt(i < count - huge ? 1 + random.int(9) : 1 + random.int(2))
    return id
  })
}

/**
 * Times of arrival and popularities. Arrivals are spread evenly in time, and every period gets popular and rare items
 * alike (steps of the golden ratio), so that the share of impressions on new items depends little on chance.
 */
function makeArrivals(count: number, random: Random): Pick<Item, 'createdAt' | 'popularity'>[] {
  const { arriving, daysBefore, popularity } = parameters.items
  const during = Math.round(count * arriving)
  const golden = (Math.sqrt(5) - 1) / 2
  const ranks = { during: random.uniform(), before: random.uniform() }
  const made = Array.from({ length: count }, (_, i) => {
    const isNew = i < during
    const days = isNew
      ? ((i + random.uniform()) / during) * parameters.log.days
      : -daysBefore * (1 - (i - during + random.uniform()) / (count - during))
    const which = isNew ? 'during' : 'before'
    ranks[which] = (ranks[which] + golden) % 1
    return {
      createdAt: Math.floor((logStart + days * day) / second) * second,
      popularity: Math.exp(-popularity.exponent * Math.log(ranks[which] + popularity.offset)),
    }
  })
  return random.shuffle(made)
}
