/** Clicks and purchases of the shown items, by a rule in which every term is known. */

import type { Random } from '../../base/random.js'
import { type Item, second } from './catalogue.js'
import { parameters } from './parameters.js'
import { type Request, relevance } from './requests.js'
import { match, type User } from './taste.js'

/** Impressions in order of time, one entry each; times in microseconds since 1970. */
export interface Impressions {
  /** Index of the request, and of the item. */
  request: Int32Array
  item: Int32Array
  position: Uint8Array
  ts: Float64Array
  label: Uint8Array
  /** True log-odds of a click without the position effect: the ranking of a perfect model. */
  oracle: Float64Array
  /** Time of the click and of the purchase; 0: none. */
  clickedAt: Float64Array
  boughtAt: Float64Array
}

export function makeClicks(items: Item[], users: User[], requests: Request[], random: Random): Impressions {
  const count = requests.reduce((sum, { shown }) => sum + shown.length, 0)
  const made: Impressions = {
    request: new Int32Array(count),
    item: new Int32Array(count),
    position: new Uint8Array(count),
    ts: new Float64Array(count),
    label: new Uint8Array(count),
    oracle: new Float64Array(count),
    clickedAt: new Float64Array(count),
    boughtAt: new Float64Array(count),
  }
  const { clicks } = parameters
  const taste = new Float64Array(count)
  const logit = new Float64Array(count)
  const middle = (parameters.requests.shown[1] - 1) / 2

  let i = 0
  for (const [r, { user, ts, query, shown }] of requests.entries()) {
    for (const [position, item] of shown.entries()) {
      const { attributes, quality } = items[item]
      taste[i] = match(users[user].taste, attributes)
      // Relative to the usual relevance, so that a query by itself does not increase the click rate.
      const answered = query ? clicks.relevance * (relevance(query, attributes) - clicks.usualRelevance) : 0
      made.oracle[i] = taste[i] + quality + answered
      logit[i] = made.oracle[i] + clicks.position * (position - middle)
      made.request[i] = r
      made.item[i] = item
      made.position[i] = position
      // One millisecond per position: rows of a request have different times, in the order of the list.
      made.ts[i] = ts + position * 1_000
      i++
    }
  }

  const bias = biasFor(logit, clicks.rate)
  for (let i = 0; i < count; i++) {
    made.oracle[i] += bias
    if (!random.chance(sigmoid(logit[i] + bias))) continue
    made.label[i] = 1
    made.clickedAt[i] = made.ts[i] + delay(clicks.delaySeconds, random)
  }
  addPurchases(made, taste, items, random)
  return inOrderOfTime(made)
}

function addPurchases(made: Impressions, taste: Float64Array, items: Item[], random: Random): void {
  const { purchases } = parameters
  const clicked = Int32Array.from(made.label.keys()).filter((i) => made.label[i] === 1)
  const logit = Float64Array.from(clicked, (i) => {
    return purchases.taste * taste[i] + purchases.quality * items[made.item[i]].quality
  })
  const bias = biasFor(logit, purchases.rate)
  for (const [c, i] of clicked.entries()) {
    if (random.chance(sigmoid(logit[c] + bias)))
      made.boughtAt[i] = made.clickedAt[i] + delay(purchases.delaySeconds, random)
  }
}

function delay([low, high]: number[], random: Random): number {
  return Math.floor(random.between(low, high) * second)
}

/** Sorts by time, because requests of different users can overlap by milliseconds. */
function inOrderOfTime(made: Impressions): Impressions {
  const order = Int32Array.from(made.ts.keys()).sort((a, b) => made.ts[a] - made.ts[b] || a - b)
  const entries = Object.entries(made).map(([name, column]) => {
    const Column = column.constructor as new (length: number) => typeof column
    const sorted = new Column(order.length)
    for (const [i, from] of order.entries()) sorted[i] = column[from]
    return [name, sorted]
  })
  return Object.fromEntries(entries) as Impressions
}

/** The bias for which the mean of sigmoid(logit + bias) is `rate`, by bisection. */
function biasFor(logit: Float64Array, rate: number): number {
  let [low, high] = [-20, 20]
  for (let step = 0; step < 40; step++) {
    const bias = (low + high) / 2
    let sum = 0
    for (const value of logit) sum += sigmoid(value + bias)
    if (sum < rate * logit.length) low = bias
    else high = bias
  }
  return (low + high) / 2
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}
