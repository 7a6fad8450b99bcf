/** Titles and text queries from attributes. */

import type { Random } from '../../base/random.js'
import { type Attributes, brands, noiseWords, wordsFor } from './attributes.js'
import { parameters } from './parameters.js'

const fields = ['category', 'color', 'pattern', 'material'] as const

/** The attributes to name, each with its own probability, and words for them; the category if none is drawn. */
function attributeWords(item: Attributes, probability: Record<(typeof fields)[number], number>, random: Random) {
  const named = fields.filter((field) => random.chance(probability[field]))
  if (named.length === 0) named.push('category')
  return { named, words: named.map((field) => random.pick(wordsFor(field, item[field]))) }
}

/** A title like those of sellers: some attributes in random order, sometimes with brand and noise words. */
export function titleOf(item: Attributes, random: Random): string {
  const { titles } = parameters
  const { words } = attributeWords(item, titles, random)
  if (random.chance(titles.brand)) words.push(brands[item.brand].name)
  if (random.chance(titles.noise)) words.push(random.pick(noiseWords))
  return random.shuffle(words).join(' ')
}

/** A text query for an item, and the attributes that it names. */
export function queryFor(item: Attributes, random: Random): { text: string; named: readonly (keyof Attributes)[] } {
  const { named, words } = attributeWords(item, parameters.requests.words, random)
  // A query ends with the category: "red striped shirt".
  return { text: words.reverse().join(' '), named }
}
