import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { countChoices } from '../../../src/data/choices/coOccurrence.js'
import { parts } from '../../../src/data/choices/log.js'
import { Negatives } from '../../../src/data/choices/negatives.js'
import { queryKinds } from '../../../src/data/choices/sources/source.js'
import { loadItems } from '../../../src/data/items/items.js'
import { openTables, plainPositives, positivesOf } from '../tables.js'

const count = 60
const { db, write, rows } = await openTables()
const catalogue = await write('items', `SELECT i AS item_id FROM range(${count}) r(i)`)
const items = await loadItems(db, catalogue, { id: 'item_id', title: 'title', image: 'image', category: 'category' })

interface Choice {
  session: number
  item: number
  request: number
  query: string
}

// One session of forty choices for each user, minute by minute; of twelve users the last four are after the cut-off.
const random = Random.of('long sessions')
const [users, ofTraining, length] = [12, 8, 40]
const choices = Array.from({ length: users * length }, (_, i): Choice => {
  const session = Math.floor(i / length)
  return { session, item: random.int(count), request: Math.floor(i / 4), query: `q${Math.floor(i / 8) % 5}` }
})
const tuples = choices.map(
  ({ session, item, request, query }, i) =>
    `('u${session + 10}', ${item}, 'click', ${i + session * 1000}, 'r${request}', '${query}')`,
)
const path = await rows('behaviors', 'user_id, item_id, action, ts, request_id, query_text', ...tuples)
const { log, positives } = await positivesOf(db, items, {
  path,
  ...plainPositives,
  sessionMinutes: 5,
  split: { train: (ofTraining + 0.01) / users, valid: 0.05 },
})
const known = choices.filter(({ session }) => session < ofTraining)
const { queryTexts, kind, query, target, part, session } = positives
const nameOf = (pair: number) => queryKinds[kind[pair]]
const pairsOf = (isOf: (part: number) => boolean) => Int32Array.from(part.keys()).filter((i) => isOf(part[i]))

test('when sessions are long then counts are those of looking at each item in each session and request', async () => {
  const judged = pairsOf((of) => of !== parts.train)
  const { popularity, together } = await countChoices(log, positives, judged, count)
  const all = Array.from({ length: count }, (_, other) => other)
  assert.deepEqual(
    [...popularity],
    all.map((other) => known.filter((choice) => choice.item === other).length),
  )
  assert.ok(new Set(judged.map((pair) => kind[pair])).size === 2)
  for (const pair of judged) {
    const isProduct = nameOf(pair) === 'product'
    const withItem = new Set(known.filter((choice) => choice.item === query[pair]).map((choice) => choice.session))
    // Where a choice counts for the query: its session or its request.
    const places = all.map(() => new Set<number>())
    for (const choice of known) {
      if (isProduct && withItem.has(choice.session) && choice.item !== query[pair])
        places[choice.item].add(choice.session)
      if (!isProduct && choice.query === queryTexts[query[pair]]) places[choice.item].add(choice.request)
    }
    const expected = places.map((found) => found.size)
    assert.deepEqual([...together(nameOf(pair), query[pair])], expected)
  }
})

test('when sessions are long then what they and the query are known to choose is masked, and nothing else', () => {
  // Items 2n and 2n + 1 are of equal title.
  const alike = Int32Array.from({ length: count }, (_, i) => i >> 1)
  const negatives = new Negatives(positives, new Int32Array(count).fill(-1), alike)
  const candidates = Int32Array.from({ length: count }, (_, i) => i)
  const training = pairsOf((of) => of === parts.train)
  let masked = 0
  for (const pair of training) {
    const isKnown = new Set([
      ...known.filter((choice) => choice.session === session[pair]).map((choice) => choice.item),
      ...Array.from(training)
        .filter((other) => kind[other] === kind[pair] && query[other] === query[pair])
        .map((other) => target[other]),
    ])
    const expected = Array.from(candidates, (other) => isKnown.has(other) || alike[other] === alike[target[pair]])
    // The first column is the place of the pair itself.
    const columns = {
      items: Int32Array.of(target[pair], ...candidates),
      pairs: new Int32Array(),
      queuedFrom: count + 1,
    }
    const options = { logQ: false, corrected: () => false, maxAgeDays: 0 }
    const [own, ...others] = negatives.bias(Int32Array.of(pair), columns, options)
    assert.equal(own, 0)
    assert.deepEqual(
      others.map((bias) => bias < 0),
      expected,
    )
    masked += expected.filter(Boolean).length
  }
  assert.ok(masked > 0 && masked < training.length * count)
})
