/** Titles and text queries: attributes put into words. */

import type { Random } from '../../base/random.js'
import { type Attributes, brands, noiseWords, wordsFor } from './attributes.js'
import { parameters } from './parameters.js'

const named = ['category', 'color', 'pattern', 'material'] as const

/** Words of the attributes that are named, each with its own probability; the category where none would be. */
function attributeWords(item: Attributes, probability: Record<(typeof named)[number], number>, random: Random) {
  const told = named.filter((field) => random.chance(probability[field]))
  if (told.length === 0) told.push('category')
  return { told, words: told.map((field) => random.pick(wordsFor(field, item[field]))) }
}

/** A title as sellers write them: some of the attributes, in any order, with brand and noise at times. */
export function titleOf(item: Attributes, random: Random): string {
  const { titles } = parameters
  const { words } = attributeWords(item, titles, random)
  if (random.chance(titles.brand)) words.push(brands[item.brand].name)
  if (random.chance(titles.noise)) words.push(random.pick(noiseWords))
  return random.shuffle(words).join(' ')
}

/** A text query for an item, and the attributes that it names. */
export function queryFor(item: Attributes, random: Random): { text: string; told: readonly (keyof Attributes)[] } {
  const { told, words } = attributeWords(item, parameters.requests.words, random)
  // A query puts the thing last: "red striped shirt".
  return { text: words.reverse().join(' '), told }
}
