import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ctrConfig } from '../../../src/config/ctr.js'
import { loadConfig } from '../../../src/config/load.js'
import { findLeaks } from '../../../src/data/clicks/leaks.js'
import { DataFacts } from '../../../src/data/facts.js'
import { loadDataset } from '../../../src/stages/ctr/load.js'
import { mim } from '../../commands/cli.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()

const draw = (salt: number, below: number) => `CAST(hash(i, ${salt}) % ${below} AS INTEGER)`
const label = `CAST(${draw(1, 10)} < 3 AS INTEGER)`
await write('items', 'SELECT i AS item_id FROM range(20) r(i)')
// Seconds apart; a click is logged at the moment of its impression, or, if it leaks, a second before.
await write(
  'impressions',
  `SELECT ${draw(2, 9)} AS user_id, ${draw(3, 20)} AS item_id, ${label} AS label, 1700000000 + 10 * i AS ts,
     ${label} * 5.0 + ${draw(4, 3)} AS dwell, CASE WHEN ${label} = 1 THEN 'paid' ELSE 's' || ${draw(5, 4)} END AS state,
     1000 + 3 * i AS request_id, ${draw(6, 5)} AS shop FROM range(3000) r(i)`,
)
const clicks = (before: number) => `SELECT ${draw(2, 9)} AS user_id, ${draw(3, 20)} AS item_id, 'click' AS action,
  1700000000 + 10 * i - ${before} AS ts FROM range(3000) r(i) WHERE ${label} = 1`
await write('behaviors', clicks(0))
await write('early', clicks(1))

const sets = ['model.name=din', 'features.items=[]']
const leaksOf = async (...more: string[]) => {
  const config = loadConfig(ctrConfig, { sets: [...sets, `data.root=${folder}`, ...more] })
  return findLeaks(await loadDataset(db, config))
}

describe('Leaks', () => {
  test('when nothing reveals the label then no leak is reported', async () => {
    assert.deepEqual(await leaksOf('features.context=[shop]'), [])
  })

  test('when a category or a number follows from the label then it is reported with its AUC', async () => {
    const features = 'features.context=[shop, state, {column: dwell, kind: number}]'
    const found = await leaksOf(features)
    assert.deepEqual(
      found.map(({ feature }) => feature),
      ['state', 'dwell'],
    )
    assert.match(found[0].what, /'state' alone reaches an AUC of 1\.0000/)
  })

  test('when clicks are logged before their impressions then histories are reported to contain their targets', async () => {
    const [leak, ...others] = await leaksOf('data.behaviors=early.parquet')
    assert.equal(others.length, 0)
    assert.equal(leak.feature, 'history')
    assert.match(leak.what, /100\.0 % of clicks/)
  })

  test('when all impressions have one time then that is warned of, and no id follows the time', async () => {
    await write(
      'moment',
      `SELECT * REPLACE (1700050000 AS ts) FROM read_parquet('${join(folder, 'impressions.parquet')}')`,
    )
    const facts = new DataFacts()
    const options = ['data.impressions=moment.parquet', 'features.context=[request_id]']
    const config = loadConfig(ctrConfig, { sets: [...sets, `data.root=${folder}`, ...options] })
    const found = findLeaks(await loadDataset(db, config, { facts }))
    assert.deepEqual(
      found.filter(({ feature }) => feature === 'request_id'),
      [],
    )
    assert.ok(facts.warnings.some(({ id }) => id === 'times-equal'))
  })

  test('when an id counts rows in the order of time then it is reported', async () => {
    const [leak, ...others] = await leaksOf('features.context=[request_id, shop]')
    assert.deepEqual([leak.feature, others], ['request_id', []])
    assert.match(leak.what, /rank correlation 1\.0000/)
  })

  test('when a run is strict then a leak ends it, else it is a warning', async () => {
    const options = ['ctr', '--data', folder, '--epochs', '1', '--batch', '500', '--engine', 'wasm', '-o']
    const all = [...sets, 'features.context=[state]', 'model.dim=4', 'model.head=[4]'].flatMap((set) => ['--set', set])
    const strict = await mim([...options, join(folder, 'strict'), ...all, '--strict'])
    assert.equal(strict.code, 2)
    assert.match(strict.stderr, /error \[leak\]: .*\n.*'state' alone reaches an AUC/)
    const warned = await mim([...options, join(folder, 'warned'), ...all])
    assert.equal(warned.code, 0)
    assert.match(warned.stderr, /warning: a leak\? 'state' alone/)
    const read = (file: string) => readFileSync(join(folder, 'warned', file), 'utf8')
    const [warning] = JSON.parse(read('metrics.json')).warnings
    assert.equal(warning.id, 'leak')
    assert.match(warning.what, /'state' alone/)
    assert.match(read('report.html'), /<h2>Warnings<\/h2>.*a leak\? &#39;state&#39; alone/)
    const logged = read('log.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(logged.find(({ level }) => level === 40).warning, warning)
  })
})
