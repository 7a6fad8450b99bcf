import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ctrConfig } from '../../../src/config/ctr.js'
import { loadConfig } from '../../../src/config/load.js'
import type { CtrDataset } from '../../../src/data/clicks/dataset.js'
import type { RowFeature } from '../../../src/data/clicks/features.js'
import { findLeaks } from '../../../src/data/clicks/leaks.js'
import { ColumnStore, FileColumn } from '../../../src/data/tables/column.js'
import { paddingRow, unknownRow } from '../../../src/ops/tableRows.js'
import { ctrBatch, ctrFeatures } from '../../../src/stages/ctr/batch.js'
import { loadDataset, saveFeatures } from '../../../src/stages/ctr/load.js'
import { CtrTask } from '../../../src/stages/ctr/task.js'
import { takeStep } from '../../../src/train/step.js'
import { unstored } from '../../data/clicks/featureColumns.js'
import { openTables } from '../../data/tables.js'
import { onEachEngine } from '../../engines.js'
import { refusal } from '../../refusal.js'

const { db, folder, write } = await openTables()

// 40 impressions, a second apart; the first 28 train. Ids are beyond 2^53 and differ in their last digit.
const id = (number: string) => `9007199254740993 + ${number}`
const shown = (from: number, to: number) => `SELECT 'u' || (i % 3) AS user_id, ${id('i % 7')} AS item_id,
    CAST(i % 4 IN (0, 3) AS INTEGER) AS label, 100 * i AS ts, CASE WHEN i % 5 = 0 THEN NULL ELSE i * i END AS price,
    'c' || (i % 4) AS city, i % 2 AS day, ['t' || (i % 3), 'x'][: i % 3] AS tags, CASE WHEN i % 2 = 0 THEN 'click' END AS doing,
    [${id('(i * j) % 5')} FOR j IN range(i % 4)] AS seen
  FROM range(${from}, ${to}) r(i)`
await write('impressions', shown(0, 40))
await write('new', `SELECT * EXCLUDE label FROM (${shown(20, 60)})`)
await write(
  'behaviors',
  `SELECT 'u' || (i % 3) AS user_id, ${id('i % 5')} AS item_id, CASE i % 4 WHEN 0 THEN 'cart' ELSE 'click' END AS action,
     100 * i - 50 AS ts FROM range(60) r(i)`,
)
await write('items', `SELECT ${id('i')} AS item_id, i * 10.0 AS cost, 'c' || (i % 2) AS origin FROM range(6) r(i)`)

const features = `{
  items: [{column: cost, kind: bucket, edges: [15, 35]}, {column: origin, table: place}],
  context: [city, {column: city, name: town, table: place}, {column: [city, day]}, {column: tags, kind: list, length: 2},
    {column: city, name: hashed, kind: hash, rows: 50}, {column: price, kind: number, transform: log1p}],
  history: [{kind: category, column: action, target: doing}, {kind: gap}] }`
const config = (sets: string[] = []) =>
  loadConfig(ctrConfig, {
    sets: [
      `data.root=${folder}`,
      'model.name=din',
      'data.timeUnit=s',
      'history.actions=[click, cart]',
      `features=${features}`,
      ...sets,
    ],
  })
const data = await loadDataset(db, config())

const named = (from: readonly RowFeature[], name: string) => from.find((feature) => feature.name === name)!
const ofImpressions = (name: string, of: CtrDataset = data) =>
  named(unstored<RowFeature[]>(of.impressionFeatures), name)

describe('Features by configuration', () => {
  test('when values are categories then those of one table share rows, and combinations have rows of their own', () => {
    const [city, town, both] = ['city', 'town', 'city+day'].map((name) => ofImpressions(name))
    assert.deepEqual([city.size, both.size], [2 + 4, 2 + 4])
    assert.equal(town.table, 'place')
    const origin = named(data.itemFeatures, 'origin')
    assert.equal(origin.table, 'place')
    // c0 and c1 are cities as well as origins; item 0 is of c0, impression 0 in c0.
    assert.deepEqual([town.rowOf[0], town.rowOf[1]], [origin.rowOf[0], origin.rowOf[1]])
    assert.equal(origin.rowOf[6], unknownRow)
  })

  test('when a column is a list then it has as many rows as the longest, padded', () => {
    const { values, rowOf, size } = ofImpressions('tags')
    assert.equal(values, 2)
    assert.equal(size, 2 + 3)
    assert.deepEqual([...rowOf.subarray(0, 2)], [unknownRow, paddingRow])
    assert.equal(rowOf[3], paddingRow)
    assert.equal(rowOf[5], rowOf[11], 'the x of impressions 2 and 5')
  })

  test('when a column is a number then it is standardized by the training part, and a missing one has a row of its own', () => {
    const { weight, rowOf } = ofImpressions('price')
    const trained = Array.from({ length: 28 }, (_, i) => i).filter((i) => i % 5 > 0)
    const logs = trained.map((i) => Math.log1p(i * i))
    const mean = logs.reduce((a, b) => a + b) / logs.length
    const deviation = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logs.length)
    for (const [k, i] of trained.entries()) assert.ok(Math.abs(weight![i] - (logs[k] - mean) / deviation) < 1e-5)
    assert.deepEqual([rowOf[0], weight![0], rowOf[1] !== rowOf[0]], [unknownRow, 1, true])
    const { rowOf: cost } = named(data.itemFeatures, 'cost')
    assert.deepEqual([...cost], [2, 2, 3, 3, 4, 4, unknownRow])
  })

  test('when behaviors have an action and an age then batches have both, and the value of the target', () => {
    const batch = ctrBatch(data, Int32Array.of(6), { kind: 'none', topK: 1, feature: '' })
    // User 0 did something at -50, 250 (click) and 550; the impression is at 600.
    const action = data.behaviorFeatures[0]
    assert.deepEqual([...batch['history.action'].data].length, 3)
    assert.equal(batch['target.action'].data[0], batch['history.action'].data[1], 'click')
    assert.equal(action.size, 2 + 2)
    assert.deepEqual(
      [...batch['history.gap'].data],
      [650, 350, 50].map((s) => 2 + Math.floor(Math.log2(s))),
    )
    assert.deepEqual([...batch['target.gap'].data], [unknownRow])
  })

  test('when what encodes is saved then new impressions without labels get the rows of training', async () => {
    const kept = join(folder, 'checkpoint')
    mkdirSync(kept)
    await saveFeatures(db, data, kept)
    const again = await loadDataset(db, config(['data.impressions=new.parquet']), { trained: kept })
    assert.deepEqual(again.split.test, { from: 0, to: 40 })
    for (const { name, rowOf, weight, size, values } of unstored<RowFeature[]>(data.impressionFeatures)) {
      const found = ofImpressions(name, again)
      assert.equal(found.size, size, name)
      assert.deepEqual(found.rowOf.subarray(0, 20 * values), rowOf.slice(20 * values), name)
      assert.deepEqual(found.weight?.subarray(0, 20), weight?.slice(20), name)
    }
    for (const [i, { rowOf }] of data.itemFeatures.entries()) assert.deepEqual(again.itemFeatures[i].rowOf, rowOf)
    assert.deepEqual(again.trainCount, data.trainCount)
  })

  test('when columns are kept in files then they are those of memory, and so are batches', async () => {
    const store = new ColumnStore(join(folder, 'columns'))
    for (const sets of [[], ['features.history=[]', 'data.columns.history=seen']]) {
      const [here, there] = [await loadDataset(db, config(sets)), await loadDataset(db, config(sets), { store })]
      assert.ok(there.impressions.behaviorItem instanceof FileColumn)
      for (const part of [
        'impressions',
        'impressionFeatures',
        'behaviorFeatures',
        'itemFeatures',
        'encoders',
      ] as const) {
        assert.deepEqual(unstored(there[part] as object), unstored(here[part] as object), part)
      }
      const behaviorSearch = { kind: 'hard', topK: 2, feature: 'origin' } as const
      const rows = Int32Array.of(39, 3, 17, 18, 3)
      assert.deepEqual(ctrBatch(there, rows, behaviorSearch), ctrBatch(here, rows, behaviorSearch))
      assert.deepEqual(findLeaks(there), findLeaks(here))
    }
    store.close()
  })

  test('when columns do not fit into data.memory then they are kept in files', async () => {
    const many = Array.from({ length: 30 }, (_, i) => `{column: city, name: c${i}, kind: hash, rows: 9}`)
    await write('many', shown(0, 300_000))
    const sets = [`features.context=[${many}]`, 'data.impressions=many.parquet', 'split.train=0.5']
    const [few, all] = [
      await loadDataset(db, config([...sets, 'data.memory=32MB'])),
      await loadDataset(db, config(sets)),
    ]
    assert.deepEqual([few.store.isOnDisk, all.store.isOnDisk], [true, false])
    assert.deepEqual(unstored(few.impressionFeatures), unstored(all.impressionFeatures))
    few.store.close()
    const args = ['ctr', '--data', folder, '--model', 'din', '--set', 'data.impressions=many.parquet']
    await refusal(
      [...args, '--set', 'features.items=[]', '--set', 'data.memory=1MB'],
      join(folder, 'run'),
      'memory-limit',
    )
  })

  test('when ids are hashed then tables have the rows asked for, also for new ids', async () => {
    const hashed = await loadDataset(db, config(['features.idRows=20']))
    const { size, rowOf } = hashed.itemFeatures[0]
    assert.equal(size, 20)
    assert.ok(rowOf.every((row) => row > unknownRow && row < 20))
    assert.ok(new Set(rowOf).size > 3)
  })

  test('when features are wrong then the run is refused by their name', async () => {
    const refused = (set: string, id: string) => assert.rejects(loadDataset(db, config([set])), { id })
    await refused('features.context=[nothing]', 'column-missing')
    await refused('features.context=[tags]', 'column-type')
    await refused('features.context=[{column: city, kind: number}]', 'column-type')
    await refused('features.context=[city, {column: day, name: city}]', 'feature-names')
    await refused('data.columns.time=null', 'history-source')
  })
})

await onEachEngine('a model with features of all kinds', (engine) => {
  test('when it is trained then it learns from them', async () => {
    const sets = ['model.dim=4', 'model.head=[8]', 'model.attention=[4]', 'train.batch=28', 'train.learningRate=0.05']
    const task = new CtrTask(engine, data, config(sets))
    const schedule = { ...config(sets).train, steps: 12 }
    const losses: number[] = []
    for (let step = 0; step < 12; step++) losses.push((await takeStep(task, step, schedule)).loss)
    assert.ok(losses[11] < losses[0] - 0.1, `${losses}`)
    assert.ok(ctrFeatures(data).impression.some(({ isWeighted }) => isWeighted))
    await task.close()
  })
})
