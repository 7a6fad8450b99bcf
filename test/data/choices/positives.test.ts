import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LogOptions } from '../../../src/data/choices/log.js'
import type { PositiveOptions, Positives } from '../../../src/data/choices/positives.js'
import { sourceNames } from '../../../src/data/choices/sources/index.js'
import { type ContentVectors, queryKinds } from '../../../src/data/choices/sources/source.js'
import { loadItems } from '../../../src/data/items/items.js'
import { behaviorColumns, openTables, positivesOf, sourceDefaults } from '../tables.js'

const { db, write, rows } = await openTables()
// Dense numbers are ids − 100, so that a mix-up shows.
const catalogue = await write('items', 'SELECT 100 + i AS item_id FROM range(10) r(i)')
const items = await loadItems(db, catalogue, { id: 'item_id', title: 'title', image: 'image', category: 'category' })

const names = Object.values(behaviorColumns).join(', ')

/** Pairs of behaviors given as tuples; times are minutes. */
async function build(
  tuples: string[],
  options: Partial<LogOptions & PositiveOptions>,
  content?: ContentVectors,
): Promise<Positives> {
  const minutes = await rows('minutes', names, ...tuples)
  const path = await write(
    'behaviors',
    `SELECT user_id, item_id, action, ts * 60 AS ts, CAST(COLUMNS('request|query') AS VARCHAR) FROM read_parquet('${minutes}')`,
  )
  const defaults: LogOptions & PositiveOptions = {
    path,
    columns: behaviorColumns,
    timeUnit: 's',
    timeZone: null,
    sources: ['query-purchase'],
    ...sourceDefaults,
    purchaseWeight: 1,
    clickWeight: 0.5,
    exposureWeight: 0.1,
    lookBack: 2,
    sessionMinutes: 30,
    split: { train: 0.8, valid: 0.1 },
  }
  const { positives } = await positivesOf(db, items, { ...defaults, ...options }, content)
  return positives
}

/** Pairs as "part kind query → target × weight". */
function pairs({ count, kind, query, target, weight, part, queryImages, queryTexts }: Positives): string[] {
  return Array.from({ length: count }, (_, i) => {
    const shown = [queryImages[query[i]], queryTexts[query[i]], query[i]][kind[i]]
    const weighs = Math.round(weight[i] * 1000) / 1000
    return `${['train', 'valid', 'test'][part[i]]} ${queryKinds[kind[i]]} ${shown} → ${target[i]} × ${weighs}`
  })
}

/** Items rejected in the request that pair `i` was made in. */
function rejectedIn({ request, rejected: { items, offsets } }: Positives, i: number): number[] {
  return [...items.subarray(offsets[request[i]], offsets[request[i] + 1])]
}

describe('Positive pairs', () => {
  // Of the twelve behaviors of known items the 10th, of minute 90, ends training, and the 11th validation.
  const log = [
    // The query of a text and a photo, two items shown, one clicked and bought.
    "('u', 100, 'expose', 0, 'r1', 'red shoe', 'q/1.jpg')",
    "('u', 101, 'expose', 0, 'r1', 'red shoe', 'q/1.jpg')",
    "('u', 102, 'expose', 0, 'r1', 'red shoe', 'q/1.jpg')",
    "('u', 100, 'click', 1, 'r1', 'red shoe', 'q/1.jpg')",
    "('u', 100, 'purchase', 2, 'r1', 'red shoe', 'q/1.jpg')",
    // Put into the cart: neither chosen nor rejected.
    "('u', 102, 'cart', 3, 'r1', 'red shoe', 'q/1.jpg')",
    // Blank and no queries, and an item that the catalogue does not have.
    "('v', 103, 'purchase', 4, 'r2', '  ', NULL)",
    "('v', 104, 'click', 4, NULL, NULL, ' \u00a0')",
    "('v', 999, 'purchase', 4, 'r2', 'unknown', NULL)",
    // Twice the same choice in a request; it counts when it is first made.
    "('w', 105, 'click', 6, 'r3', 'blue hat', NULL)",
    "('w', 105, 'click', 95, 'r3', 'blue hat', NULL)",
    "('x', 106, 'click', 90, 'r4', 'late', NULL)",
    "('x', 106, 'purchase', 91, 'r4', 'late', NULL)",
  ]

  test('when a purchase follows a query then each kind of query makes a pair', async () => {
    const found = await build(log, {})
    assert.deepEqual(pairs(found), [
      'train image q/1.jpg → 0 × 1',
      'train text red shoe → 0 × 1',
      'test text late → 6 × 1',
    ])
    assert.deepEqual(found.bySource, { 'query-purchase': 3 })
  })

  test('when clicks count too then they weigh what the options say and a repeated one counts once', async () => {
    const found = await build(log, { sources: ['query-click', 'query-purchase'], clickWeight: 0.25 })
    assert.deepEqual(pairs(found), [
      'train image q/1.jpg → 0 × 0.25',
      'train text red shoe → 0 × 0.25',
      'train image q/1.jpg → 0 × 1',
      'train text red shoe → 0 × 1',
      'train text blue hat → 5 × 0.25',
      'valid text late → 6 × 0.25',
      'test text late → 6 × 1',
    ])
    assert.deepEqual(found.bySource, { 'query-click': 4, 'query-purchase': 3 })
  })

  test('when a request has a choice then what was shown and not taken is rejected', async () => {
    const found = await build(log, {})
    assert.deepEqual(rejectedIn(found, 0), [1])
    assert.deepEqual(rejectedIn(found, 1), [1])
  })

  test('when an item is taken after the cut-off then training still sees it as not taken', async () => {
    const later = [...log, "('u', 101, 'purchase', 99, 'r1', 'red shoe', 'q/1.jpg')"]
    const found = await build(later, {})
    assert.deepEqual(rejectedIn(found, 0), [1])
    assert.equal(pairs(found).filter((pair) => pair.startsWith('train')).length, 2)
  })

  test('when a behavior is at the moment of the cut-off then it is not in the training part', async () => {
    const at = (minute: number, item: number) => `('u', ${100 + item}, 'purchase', ${minute}, 'r', 'q', NULL)`
    const found = await build([at(0, 0), at(1, 1), at(2, 2), at(2, 3), at(2, 4), at(3, 5)], {
      split: { train: 0.5, valid: 0.4 },
    })
    assert.deepEqual(
      pairs(found).map((pair) => pair.split(' ')[0]),
      ['train', 'train', 'valid', 'valid', 'valid', 'test'],
    )
  })

  test('when choices of a user lie within a session then the earlier one is the query, weight 1/N', async () => {
    const at = (user: string, minute: number, item: number, action = 'click') =>
      `('${user}', ${100 + item}, '${action}', ${minute}, NULL, NULL, NULL)`
    const tuples = [
      at('u', 0, 0),
      at('u', 10, 1, 'purchase'),
      at('u', 11, 2, 'expose'),
      at('u', 40, 2),
      // Too late for a session; then the same item again; then the next.
      at('u', 71, 3),
      at('u', 72, 3, 'purchase'),
      at('u', 73, 4),
      at('v', 5, 5),
      at('v', 6, 6),
      // After the cut-off.
      at('u', 90, 7),
      at('w', 100, 8),
      at('w', 101, 9),
    ]
    const found = await build(tuples, { sources: ['session'] })
    assert.deepEqual(pairs(found), [
      'train product 5 → 6 × 1',
      'train product 0 → 1 × 0.333',
      'train product 1 → 2 × 0.333',
      'train product 3 → 4 × 0.333',
      'valid product 4 → 7 × 1',
      'test product 8 → 9 × 1',
    ])
  })

  test('when later events change then the pairs of training stay as they are', async () => {
    const inTraining = async (tuples: string[]) =>
      pairs(await build(tuples, { sources: sourceNames }, { vectors: ten, width: 1 })).filter((pair) =>
        pair.startsWith('train'),
      )
    const ten = new Float32Array(10).fill(1)
    const planted = log.map((tuple) => tuple.replace(/'x', 106, '(\w+)', (\d+)/, "'u', 100, '$1', $2"))
    assert.notDeepEqual(planted, log)
    assert.deepEqual(await inTraining(planted), await inTraining(log))
  })

  test('when choices are of one moment then their order is the order of the log', async () => {
    const at = (item: number) => `('u', ${100 + item}, 'purchase', 5, NULL, NULL, NULL)`
    const later = "('u', 100, 'expose', 9, NULL, NULL, NULL)"
    const found = await build([at(3), at(1), at(2), later], { sources: ['session'] })
    assert.deepEqual(
      pairs(found).map((pair) => pair.split(' × ')[0]),
      ['train product 3 → 1', 'train product 1 → 2'],
    )
  })

  test('when exposures teach then what a search showed is a weak pair of training, once a request', async () => {
    const found = await build(log, { sources: ['query-purchase', 'query-exposure'], exposureWeight: 0.25 })
    const shown = pairs(found).filter((pair) => pair.endsWith('0.25'))
    const expected = ['image q/1.jpg', 'text red shoe'].flatMap((query) =>
      [0, 1, 2].map((item) => `train ${query} → ${item} × 0.25`),
    )
    assert.deepEqual(shown.sort(), expected)
    assert.deepEqual(found.bySource, { 'query-purchase': 3, 'query-exposure': 6 })
    // Of after the cut-off there is none.
    const late = [...log, "('y', 100, 'expose', 99, 'r9', 'late', NULL)"]
    const again = await build(late, { sources: ['query-purchase', 'query-exposure'], exposureWeight: 0.25 })
    assert.equal(again.bySource['query-exposure'], 6)
  })

  test('when content filters then the nearest of the last choices is the query, never the item itself nor a later one', async () => {
    const at = (user: string, minute: number, item: number) =>
      `('${user}', ${100 + item}, 'click', ${minute}, NULL, NULL, NULL)`
    // Item n points to n · 30°.
    const angles = Array.from({ length: 10 }, (_, n) => (n * Math.PI) / 6)
    const vectors = Float32Array.from(angles.flatMap((a) => [Math.cos(a), Math.sin(a)]))
    const tuples = [
      at('u', 0, 1),
      at('u', 1, 5),
      at('u', 2, 2),
      at('u', 3, 2),
      // Item 1 is nearer, but no longer among the last two.
      at('u', 4, 0),
      at('v', 5, 7),
      at('u', 90, 3),
      at('w', 91, 4),
    ]
    const found = await build(tuples, { sources: ['content-filtered'] }, { vectors, width: 2 })
    assert.deepEqual(pairs(found), [
      'train product 1 → 5 × 0.25',
      'train product 1 → 2 × 0.25',
      'train product 5 → 2 × 0.25',
      'train product 2 → 0 × 0.25',
    ])
  })

  test('when content filters a long log then every choice after the first of its user has a pair', async () => {
    // More than DuckDB collects of appended rows before it writes them, which ends what is being read.
    const [users, each] = [300, 1000]
    const path = await write(
      'long',
      `SELECT u AS user_id, 100 + (u + k) % 10 AS item_id, 'click' AS action, u * ${each} + k AS ts
       FROM range(${users}) a(u), range(${each}) b(k)`,
    )
    const split = { train: 1, valid: 0 }
    const content = { vectors: new Float32Array(10).fill(1), width: 1 }
    const found = await build(log, { path, sources: ['content-filtered'], split }, content)
    // The last moment of the log is after the cut-off.
    assert.equal(found.count, users * (each - 1) - 1)
  })

  test('when choices follow without a pause then they are of one session, and training knows what it chose', async () => {
    const at = (user: string, minute: number, item: number) =>
      `('${user}', ${100 + item}, 'click', ${minute}, 'r${item}', 'q${item}', NULL)`
    const tuples = [at('u', 0, 0), at('u', 20, 1), at('u', 60, 2), at('v', 61, 3), at('v', 90, 4), at('w', 99, 5)]
    const { session, inSession, second } = await build(tuples, {
      sources: ['query-click'],
      split: { train: 0.7, valid: 0.1 },
    })
    assert.deepEqual([...session], [0, 0, 1, 2, 2, 3])
    assert.deepEqual([...inSession.items], [0, 1, 2, 3])
    assert.deepEqual([...inSession.offsets], [0, 2, 3, 4, 4])
    assert.deepEqual(
      [...second],
      [0, 20, 60, 61, 90, 99].map((minute) => minute * 60),
    )
  })

  test('when request and query columns are missing then sessions are built and queries refused', async () => {
    const path = await rows('plain', 'user_id, item_id, action, ts', "('u', 100, 'click', 1)", "('u', 101, 'click', 2)")
    const found = await build(log, { path, sources: ['session'], split: { train: 0.9, valid: 0.05 } })
    assert.equal(found.count, 1)
    assert.deepEqual([...found.request], [-1])
    await assert.rejects(build(log, { path }), { id: 'positives-none' })
  })
})
