/** Preferences of users: log-odds of a click per value of each attribute. */

import type { Random } from '../../base/random.js'
import { type Attributes, type Field, fields, vocabulary } from './attributes.js'
import { parameters } from './parameters.js'

/** A weight per value, per attribute. */
export type Taste = Record<Field, Float64Array>

export interface User {
  id: string
  taste: Taste
  /** Relative number of requests. */
  activity: number
}

export function makeUsers(count: number, random: Random): User[] {
  const archetypes = makeArchetypes(random.fork('archetypes'))
  const { main, personal, spread } = parameters.taste
  return Array.from({ length: count }, (_, i) => {
    const of = random.fork(i)
    const first = of.int(archetypes.length)
    const second = (first + 1 + of.int(archetypes.length - 1)) % archetypes.length
    const share = of.between(main[0], main[1])
    const taste = eachField((field) => {
      const own = Math.sqrt(personal) * spread[field]
      const [a, b] = [archetypes[first][field], archetypes[second][field]]
      return a.map((weight, v) => share * weight + (1 - share) * b[v] + own * of.normal())
    })
    const id = `u${String(i + 1).padStart(5, '0')}`
    return { id, taste, activity: Math.exp(parameters.users.activity * of.normal()) }
  })
}

/** Sum of the weights of an item's attributes. */
export function match(taste: Taste, item: Attributes): number {
  let sum = 0
  for (const field of fields) sum += taste[field][item[field]]
  return sum
}

/**
 * Archetypes with the standard deviation `spread` per attribute, for every seed: their common part and their individual
 * parts are drawn, centered and scaled separately. Draws are exponential: an archetype likes a few values and dislikes
 * most others, so that a short history of clicks identifies it.
 */
function makeArchetypes(random: Random): Taste[] {
  const { archetypes, common, spread } = parameters.taste
  const draw = () => eachField((field) => Float64Array.from({ length: vocabulary[field] }, () => random.exponential()))
  const drawn = Array.from({ length: archetypes }, draw)
  const shared = draw()
  return drawn.map((archetype) =>
    eachField((field) => {
      const mean = (v: number) => drawn.reduce((sum, other) => sum + other[field][v], 0) / archetypes
      const apart = standardized(archetype[field].map((weight, v) => weight - mean(v)))
      const alike = standardized(shared[field])
      return apart.map((weight, v) => spread[field] * (Math.sqrt(common) * alike[v] + Math.sqrt(1 - common) * weight))
    }),
  )
}

function eachField(make: (field: Field) => Float64Array): Taste {
  return Object.fromEntries(fields.map((field) => [field, make(field)])) as Taste
}

/** Scaled to mean 0 and mean square 1. */
function standardized(values: Float64Array): Float64Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const scale = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  return values.map((value) => (value - mean) / scale)
}
