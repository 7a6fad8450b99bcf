/** A data set of few impressions at random, and click models on it that are small enough to train at once. */

import { Random } from '../../../src/base/random.js'
import { ctrConfig } from '../../../src/config/ctr.js'
import { loadConfig } from '../../../src/config/load.js'
import { type CtrDataset, encodeClicks } from '../../../src/data/clicks/dataset.js'
import type { Impressions } from '../../../src/data/clicks/read.js'
import { ColumnStore, columnOf } from '../../../src/data/tables/column.js'
import type { ContentTable } from '../../../src/data/vectors/contentTable.js'
import type { Engine } from '../../../src/engine/index.js'
import { CtrTask } from '../../../src/stages/ctr/task.js'
import { numbersOf, plainImpressions, textColumn } from '../../data/clicks/featureColumns.js'

const [rows, items, users, width] = [60, 7, 4, 5]

export const allRows = { from: 0, to: rows }

/** All items but the last one have a content vector; items are of two categories. */
export function clickData(type: ContentTable['type'] = 'float32', store = new ColumnStore()): CtrDataset {
  const random = Random.of('dataset')
  const draw = (count: number, below: number) => Int32Array.from({ length: count }, () => random.int(below))
  const historyStart = draw(rows, 30)
  const impressions = {
    ...plainImpressions,
    rows,
    user: draw(rows, users),
    item: draw(rows, items),
    label: Uint8Array.from(draw(rows, 2)),
    behaviorItem: draw(40, items),
    historyStart,
    historyEnd: historyStart.map((start) => start + random.int(10)),
    users,
    items,
  }
  const floats = Float32Array.from({ length: items * width }, () => random.normal()).fill(0, 0, width)
  const scale = type === 'int8' ? Math.max(...floats.map(Math.abs)) / 127 : 1
  const values = type === 'int8' ? Int8Array.from(floats, (x) => Math.round(x / scale)) : floats
  const rowOf = Int32Array.from({ length: items }, (_, item) => (item + 1) % items)
  const content = { width, vectors: values, type, scale, rows: items, rowOf }
  const texts = Array.from({ length: items }, (_, item) => (item % 2 === 0 ? 'even' : 'odd'))
  const category = textColumn('category', texts)
  const numbers = numbersOf(impressions, category)
  const clicks = { impressions: stored(impressions, store), items: [category.column], numbers }
  return encodeClicks(clicks, content, { split: { train: 0.6, valid: 0.2 }, user: true, minCount: 1, store })
}

/** Impressions with their arrays as columns of `store`. */
function stored(impressions: object, store: ColumnStore): Impressions {
  const entries = Object.entries(impressions).map(([name, value]) => {
    if (value instanceof Int32Array) return [name, store.map(columnOf(value), 'int32', (x) => x)]
    return [name, value instanceof Uint8Array ? store.map(columnOf(value), 'uint8', (x) => x) : value]
  })
  return Object.fromEntries(entries)
}

const small = ['model.dim=3', 'model.attention=[4]', 'model.head=[6]', 'model.contentDim=4', 'train.batch=16']

export const clickConfig = (sets: string[]) => loadConfig(ctrConfig, { sets: [...small, ...sets] })

/** The learning rate of eight steps. */
export const schedule = { ...clickConfig([]).train, steps: 8 }

export function openTask(
  engine: Engine,
  sets: string[],
  { type = 'float32', store }: { type?: ContentTable['type']; store?: ColumnStore } = {},
): CtrTask {
  return new CtrTask(engine, clickData(type, store), clickConfig(sets))
}
