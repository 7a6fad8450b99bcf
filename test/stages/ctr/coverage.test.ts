/** Joins of the tables of mim ctr: the share that matches, and what happens if it is small. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ctrConfig } from '../../../src/config/ctr.js'
import { loadConfig } from '../../../src/config/load.js'
import { DataFacts } from '../../../src/data/facts.js'
import { loadDataset } from '../../../src/stages/ctr/load.js'
import { openTables } from '../../data/tables.js'
import { assertRefused } from '../../errors/refused.js'

const { db, folder, write } = await openTables()

/** 60 impressions of 10 items to 6 users; SQL of an item's and of a user's id by its number. */
const shown = (item = 'n', user = 'u') =>
  `SELECT ${user} AS user_id, ${item} AS item_id, i % 3 % 2 AS label, TIMESTAMP '2024-03-01' + to_hours(i + 100) AS ts,
     [${item}] AS seen FROM (SELECT i, 1000 + i % 10 AS n, 1 + i % 6 AS u FROM range(60) r(i))`
const behaved = (item = 'n', user = 'u') =>
  `SELECT ${user} AS user_id, ${item} AS item_id, 'click' AS action, TIMESTAMP '2024-03-01' + to_hours(i) AS ts
   FROM (SELECT i, 1000 + i % 10 AS n, 1 + i % 6 AS u FROM range(60) r(i))`
const sold = (item = 'n') =>
  `SELECT ${item} AS item_id, 'c' || n % 2 AS category FROM (SELECT 1000 + i AS n FROM range(10) r(i))`

interface Written {
  impressions?: string
  behaviors?: string
  items?: string
}

let written = 0

/** Loads a data set of the tables; facts of it. */
async function load(tables: Written, sets: string[] = [], trained?: string): Promise<DataFacts> {
  const name = (table: string) => `${table}-${++written}`
  const paths = {
    impressions: await write(name('impressions'), tables.impressions ?? shown()),
    behaviors: await write(name('behaviors'), tables.behaviors ?? behaved()),
    items: await write(name('items'), tables.items ?? sold()),
  }
  const named = Object.entries(paths).map(([table, path]) => `data.${table}=${path}`)
  const config = loadConfig(ctrConfig, { sets: [`data.root=${folder}`, 'model.name=din', ...named, ...sets] })
  const facts = new DataFacts()
  const data = await loadDataset(db, config, { facts, trained })
  data.store.close()
  return facts
}

const ids = ({ warnings }: DataFacts) => warnings.map(({ id }) => id)
const join = ({ joins }: DataFacts, name: string) => joins.find((found) => found.join === name)

describe('Joins of impressions, behaviors and items', () => {
  test('when all ids are known then every join is whole and nothing is warned of', async () => {
    const facts = await load({})
    assert.deepEqual(facts.joins, [
      { join: 'impressions → items', matched: 60, of: 60 },
      { join: 'behaviors → items', matched: 60, of: 60 },
      { join: 'users → behaviors', matched: 6, of: 6 },
      { join: 'impressions → histories', matched: 60, of: 60 },
    ])
    assert.deepEqual(ids(facts), [])
  })

  test('when ids are written differently then training stops with ids of both sides and the cause', async () => {
    const text = { behaviors: behaved('CAST(n AS VARCHAR)'), items: sold('CAST(n AS VARCHAR)') }
    const cases: [string, Written, RegExp][] = [
      [
        "n || '.0'",
        text,
        /'1000\.0', '1001\.0', '1002\.0'; ids in .*items-\d+\.parquet: .*'1000', '1001', '1002'; .*'\.0'/,
      ],
      ["lpad(n || '', 8, '0')", text, /'00001000'.*'1000'.*leading zeros/],
      ["n || ' '", text, /'1000 '.*'1000'.*spaces/],
      ['chr(9) || n || chr(160)', text, /spaces/],
      [`'"' || n || '"'`, text, /quotation marks/],
      ["'item_' || n", text, /'item_1000'.*'1000'.*prefix/],
      ["' Item_0' || n || '.0'", text, /several differences/],
      [
        "'SKU' || n || 'A'",
        { behaviors: behaved("'sku' || n || 'a'"), items: sold("'sku' || n || 'a'") },
        /upper and lower case/,
      ],
      ['n + 500', {}, /'1500', '1501', '1502'.*'1000', '1001', '1002'; expected/],
      ['-1', {}, /'-1' means "no id"/],
    ]
    for (const [item, tables, expected] of cases)
      await assertRefused(() => load({ ...tables, impressions: shown(item) }), 'join-empty', expected)
  })

  test('when a part of the ids is written differently then it is warned of, however many match', async () => {
    const text = { impressions: shown("n || ''"), items: sold("n || ''") }
    const facts = await load({ ...text, behaviors: behaved("CASE WHEN i % 5 = 0 THEN '0' || n ELSE n || '' END") })
    assert.deepEqual(join(facts, 'behaviors → items'), { join: 'behaviors → items', matched: 48, of: 60 })
    const [warning] = facts.warnings
    assert.equal(warning.id, 'join-partial')
    assert.match(warning.where!, /behaviors-\d+\.parquet: column 'item_id'/)
    assert.match(warning.what, /80\.0 % of 60 found; not found: '01000'.* '1000'.*likely cause: leading zeros/)
  })

  test('when a catalogue lacks items then data.minCoverage decides whether it is warned of', async () => {
    const items = `FROM (${sold()}) LIMIT 4`
    const facts = await load({ items })
    assert.deepEqual(join(facts, 'impressions → items'), { join: 'impressions → items', matched: 24, of: 60 })
    assert.deepEqual(ids(facts), ['join-partial', 'join-partial'])
    assert.match(facts.warnings[0].what, /40\.0 % of 60 found; not found: '1004', '1005', '1006'/)
    assert.deepEqual(ids(await load({ items }, ['data.minCoverage=0.4'])), [])
  })

  test('when no catalogue is read then items of behaviors are compared with those of impressions', async () => {
    const set = ['features.items=[]']
    const zeros = { impressions: shown("n || ''"), behaviors: behaved("'0' || n") }
    await assertRefused(() => load(zeros, set), 'join-empty', /items of impressions: none of 60.*leading zeros/)
    // Old items may no longer be shown: no reason is known, so nothing stops.
    const facts = await load({ behaviors: behaved('n + 50') }, set)
    assert.deepEqual(ids(facts), ['join-empty'])
  })

  test('when impressions are one table for each part then each part must match', async () => {
    const parts = { train: shown(), valid: shown(), test: shown('n + 50') }
    const paths = await Promise.all(
      Object.entries(parts).map(async ([name, sql]) => `${name}: ${await write(name, sql)}`),
    )
    const message = /test\.parquet: column 'item_id': test impressions → items: none of 60 found/
    await assertRefused(() => load({}, [`data.impressions={${paths.join(', ')}}`]), 'join-empty', message)
  })

  test('when users are new then nothing is warned of, unless almost none has a behavior', async () => {
    const some = await load({ behaviors: `FROM (${behaved()}) WHERE user_id = 1` })
    assert.deepEqual(join(some, 'users → behaviors'), { join: 'users → behaviors', matched: 1, of: 6 })
    assert.deepEqual(ids(some), [])
    const mostly = { impressions: shown('n', 'i'), behaviors: `FROM (${behaved('n', 'i + 59')})` }
    const facts = await load(mostly)
    assert.deepEqual(join(facts, 'users → behaviors'), { join: 'users → behaviors', matched: 1, of: 60 })
    assert.match(facts.warnings[0].what, /1\.7 % of 60 found; not found: '0', '1', '10'.*'100', '101', '102'/)
    const message = /users → behaviors: none of 6 found; not found: 'U1'.*'u1'.*upper and lower case/
    await assertRefused(
      () => load({ impressions: shown('n', "'U' || u"), behaviors: behaved('n', "'u' || u") }),
      'join-empty',
      message,
    )
  })

  test('when no behavior has one of the actions then training stops and names those that there are', async () => {
    const message = /no behavior has an action of 'cart'; expected history\.actions among click/
    await assertRefused(() => load({}, ['history.actions=[cart]']), 'history-empty', message)
  })

  test('when no impression has a behavior before it then it is warned of', async () => {
    const later = `${behaved()} UNION ALL ${behaved('n', '99')}`.replace('2024-03', '2024-04')
    assert.ok(ids(await load({ behaviors: later })).includes('history-none'))
    const none = ['data.columns.history=seen']
    assert.deepEqual(ids(await load({ impressions: shown().replace('[n]', '[NULL::BIGINT]') }, none)), ['history-none'])
  })

  test('when users have behaviors but few impressions have a history then it is warned of', async () => {
    const late = behaved().replace('to_hours(i)', 'to_hours(i + 150)')
    assert.deepEqual(ids(await load({ behaviors: late })), ['history-few'])
  })

  test('when a log was loaded twice, or clicks were appended to impressions, then the share is warned of', async () => {
    const minutes = (log: string) => log.replaceAll('to_hours', 'to_minutes')
    const [shows, acts] = [minutes(shown()), minutes(behaved())]
    assert.deepEqual(ids(await load({ impressions: shows, behaviors: acts })), [])
    const twice = (log: string) => `(${log}) UNION ALL (${log})`
    const doubled = await load({ impressions: twice(shows), behaviors: twice(acts) })
    assert.deepEqual(
      doubled.warnings.map(({ id, what }) => [id, what]),
      [
        ['rows-repeated', '50.0 % of the impressions are copies of another: same user, item and time'],
        ['rows-repeated', '50.0 % of the behaviors are copies of another: same user, item and time'],
      ],
    )
    // Of each click the exposure is in the log too.
    const appended = `${shows} UNION ALL SELECT * REPLACE (0 AS label) FROM (${shows}) WHERE label = 1`
    const [warning] = (await load({ impressions: appended, behaviors: acts })).warnings
    assert.match(`${warning.id}: ${warning.what}`, /^labels-differ: 25\.0 % .* label 0 and with label 1/)
    // A user may choose an item twice in an hour or on a day.
    assert.deepEqual(ids(await load({ impressions: twice(shown()), behaviors: twice(behaved()) })), [])
  })

  test('when one id has half of the impressions then the warning names it', async () => {
    const many = (user: string) => shown('n', user).replace('range(60)', 'range(300)')
    const facts = await load({ impressions: many('CASE WHEN i % 2 = 0 THEN -1 ELSE u END') })
    const found = facts.warnings.find(({ id }) => id === 'user-anonymous')
    assert.match(found?.what ?? '', /user '-1' has 50\.0 % of the impressions/)
    const first = await load({ impressions: many('u - 1'), behaviors: behaved('n', 'u - 1') })
    assert.ok(!ids(first).includes('user-anonymous'))
  })
})

describe('Padding of listed histories', () => {
  const listed = ['data.columns.history=seen']
  const padded = (seen: string) => shown().replace('[n]', seen)

  test('when lists are padded with an id that is no item then training stops and names history.padding', async () => {
    const cases: [string, RegExp][] = [
      ['[0, 0, n]', /seen': '0' is at an end of 100\.0 % of the lists .*set history\.padding: 0$/],
      ['[n, -1, -1]', /history\.padding: -1$/],
      ['CASE WHEN i % 10 = 0 THEN [0, 0, n] ELSE [n, n, n] END', /at an end of 10\.0 %/],
    ]
    for (const [seen, expected] of cases) {
      for (const set of [listed, [...listed, 'features.items=[]']])
        await assertRefused(() => load({ impressions: padded(seen) }, set), 'history-padding', expected)
    }
    const text = { impressions: shown("'n' || n").replace("['n' || n]", "['', '', 'n' || n]"), items: sold("'n' || n") }
    await assertRefused(() => load(text, listed), 'history-padding', /history\.padding: ""$/)
  })

  test('when history.padding is set then it is no item, and a padding that is in no list is warned of', async () => {
    const facts = await load({ impressions: padded('[0, 0, n]') }, [...listed, 'history.padding=0'])
    assert.deepEqual(join(facts, 'histories → items')?.matched, join(facts, 'histories → items')?.of)
    assert.deepEqual(ids(facts), [])
    assert.deepEqual(ids(await load({}, [...listed, 'history.padding=0'])), ['padding-unused'])
  })

  test('when histories are joined text then they are refused with how to split them', async () => {
    const joined = { impressions: padded("n || ',' || n") }
    await assertRefused(() => load(joined, listed), 'column-type', /'seen' is VARCHAR; expected a list.*string_split/)
  })

  test('when 0 is an item then it may be in histories', async () => {
    const zero = { impressions: shown('n - 1000'), items: sold('n - 1000'), behaviors: behaved('n - 1000') }
    assert.deepEqual(ids(await load(zero, listed)), [])
    const filled = { ...zero, impressions: shown('n - 1000').replace('[n - 1000]', '[0, 0, n - 1000]') }
    assert.deepEqual(ids(await load(filled, listed)), ['history-padding'])
  })
})

describe('Joins with content vectors', () => {
  const content = (path: string) => ['model.name=content', `data.embeddings=${path}`]
  const vectors = (item: string, vector: string) =>
    write(`vectors-${++written}`, `SELECT ${item} AS item_id, ${vector} AS embedding FROM range(10) r(i)`)

  test('when no item has a vector then training stops with ids of both sides', async () => {
    const strangers = await vectors('2000 + i', '[1.0::FLOAT, i]')
    const message =
      /impressions → vectors: none of 60 found; not found: '1000'.*vectors-\d+\.parquet: column 'item_id': '2000'/
    await assertRefused(() => load({}, content(strangers)), 'join-empty', message)
  })

  test('when some items have a vector then the shares are facts, and zeros are warned of', async () => {
    const facts = await load({}, content(await vectors('1000 + i', 'CASE WHEN i < 7 THEN [i::FLOAT, 0] END')))
    assert.deepEqual(facts.joins.slice(-3), [
      { join: 'vectors → items', matched: 7, of: 10 },
      { join: 'impressions → vectors', matched: 42, of: 60 },
      { join: 'behaviors → vectors', matched: 42, of: 60 },
    ])
    assert.deepEqual(ids(facts), ['vector-zero', 'vector-norms'])
    assert.match(facts.warnings[0].what, /1 of 7 vectors are zero/)
  })
})
