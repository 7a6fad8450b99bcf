import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DataFacts } from '../../src/data/facts.js'
import { factLines } from '../../src/train/facts.js'
import { Run } from '../../src/train/run.js'
import { temporaryFolder } from '../sample/folders.js'

const facts = new DataFacts()
facts.tables.push({
  table: 'impressions',
  path: 'log.parquet',
  rows: 1500,
  users: 40,
  items: 80,
  from: '2024-03-01T00:05:00.000Z',
  to: '2024-03-30T23:50:00.000Z',
  times: 'seconds since 1970',
  click_rate: 0.2125,
  used: ['user_id', 'item_id', 'ts', 'label'],
  unused: ['page'],
})
facts.tables.push({ table: 'items', path: 'items', rows: 80, used: ['item_id'], unused: [] })
facts.joins.push({ join: 'impressions → items', matched: 78, of: 80 }, { join: 'queries → items', matched: 0, of: 0 })
facts.notes.push('no pictures')
facts.warn({ id: 'join-partial', where: 'log.parquet', what: 'half is missing', remedy: 'look' })

test('when facts are printed then each table has its rows, span and columns, each join its share', () => {
  assert.deepEqual(factLines(facts), [
    'data',
    '  impressions  log.parquet: 1,500 rows, 40 users, 80 items, 2024-03-01 00:05 to 2024-03-30 23:50 UTC (seconds since 1970), CTR 21.3 %',
    '               columns user_id, item_id, ts, label; not used: page',
    '  items        items: 80 rows',
    '               columns item_id',
    '  joins        impressions → items: 97.5 % (78 of 80)',
    '               queries → items: nothing to match',
    '  notes        no pictures',
  ])
})

test('when a run warns, stops and is resumed then results and report have each warning once, and the facts', async () => {
  const out = join(await temporaryFolder(), 'run')
  const options = { out, stage: 'ctr', config: {}, resume: true }
  await Run.with(options, async (run) => {
    run.tell(facts)
    run.warn({ id: 'collapse', what: 'only before the stop' })
  })
  // A killed run may leave a torn line.
  appendFileSync(join(out, 'log.jsonl'), '{"level":40,"warning":{"id":"to')
  await Run.with(options, async (run) => {
    run.tell(facts)
    await run.finish({ auc: 0.5 })
  })
  const metrics = JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8'))
  assert.deepEqual(
    metrics.warnings.map(({ id }: { id: string }) => id),
    ['join-partial', 'collapse'],
  )
  assert.deepEqual(metrics.data.tables, facts.tables)
  assert.equal(metrics.data.joins[0].share, 0.975)
  const report = readFileSync(join(out, 'report.html'), 'utf8')
  assert.match(report, /<h2>Warnings<\/h2>.*log\.parquet: half is missing; look.*only before the stop/)
  assert.match(report, /<h2>Data<\/h2>.*1,500 rows.*97\.5 % \(78 of 80\)/)
})
