/** Reads the tables of stage 3 into one data set, and says what is in it. */
import type { CtrConfig } from '../config/ctr.js'
import { loadContent } from '../data/contentTable.js'
import { buildDataset, type CtrDataset, type RowRange } from '../data/ctrDataset.js'
import { type Database, identifier } from '../data/duckdb.js'
import { itemNumbers, loadImpressions } from '../data/impressions.js'
import { findTable, openTable } from '../data/table.js'
import { UserError } from '../errors.js'
import type { Run } from '../train/run.js'

export async function loadDataset(db: Database, config: CtrConfig): Promise<CtrDataset> {
  const { data, history, features, split, model } = config
  const usesContent = model.name !== 'din'
  if (usesContent && data.embeddings === null) {
    const remedy = 'run mim embed and add --embeddings FOLDER, or use --model din'
    throw new UserError({ id: 'embeddings-missing', what: `model '${model.name}' needs content vectors`, remedy })
  }
  const itemsPath = findTable(data.root, data.items)
  const itemRules = Object.fromEntries(features.items.map((name) => [name, { type: 'any' as const }]))
  const items =
    features.items.length > 0
      ? await openTable(db, itemsPath, { [data.columns.item]: { type: 'id', unique: true }, ...itemRules })
      : undefined
  const id = identifier(data.columns.item)
  const catalogue = items
    ? [
        {
          path: items.path,
          ids: `SELECT ${id} AS item_id FROM ${items.source}`,
          type: items.columns.get(data.columns.item)!,
        },
      ]
    : []
  const impressions = await loadImpressions(
    db,
    {
      ...data,
      impressions: findTable(data.root, data.impressions),
      behaviors: findTable(data.root, data.behaviors),
      actions: history.actions,
      length: history.length,
      context: features.context,
    },
    catalogue,
  )
  const texts: [string, (string | null)[]][] = []
  for (const name of features.items) {
    const { value } = await db.columns(
      `SELECT CAST(t.${identifier(name)} AS VARCHAR) AS value FROM ${itemNumbers} n
       LEFT JOIN ${items!.source} t ON t.${id} = n.item_id ORDER BY n.item`,
      { value: 'string' },
    )
    texts.push([name, value])
  }
  const content = usesContent
    ? await loadContent(db, data.embeddings!, itemNumbers, impressions.items, data.contentType)
    : undefined
  const dataset = buildDataset(impressions, Object.fromEntries(texts), content, { split, ...features })
  checkClasses(dataset, findTable(data.root, data.impressions))
  return dataset
}

function checkClasses({ impressions: { label, rows }, split }: CtrDataset, where: string): void {
  for (const [name, { from, to }] of Object.entries(split)) {
    const clicks = label.subarray(from, to).reduce((a, b) => a + b, 0)
    if (clicks > 0 && clicks < to - from) continue
    throw new UserError({
      id: 'labels-one-class',
      where,
      what: `the ${name} part has ${clicks} clicks in ${to - from} of ${rows} impressions`,
      expected: 'some clicked and some not, in train, valid and test',
      remedy: 'give more data or change split',
    })
  }
}

/** Says how much there is, and how far the content vectors reach. */
export function describe({ impressions, split, content }: CtrDataset, { model }: CtrConfig, run: Run): void {
  const { rows, users, items, events, historyStart, historyEnd, item } = impressions
  const size = ({ from, to }: RowRange) => to - from
  const mean = historyEnd.reduce((total, end, i) => total + end - historyStart[i], 0) / rows
  run.say(
    `${model.name}: ${size(split.train)} impressions train, ${size(split.valid)} validate, ${size(split.test)} test; ` +
      `${users} users, ${items} items, ${events.length} behaviours, ${mean.toFixed(1)} in a history on average`,
  )
  if (!content) return
  const share = (of: Int32Array) => (100 * of.reduce((n, i) => n + (content.rowOf[i] > 0 ? 1 : 0), 0)) / of.length
  run.say(
    `content vectors: ${share(item).toFixed(1)} % of targets and ${share(events).toFixed(1)} % of behaviours have one`,
  )
}
