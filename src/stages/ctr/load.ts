/** Reads the tables of stage 3 into one data set, and says what is in it. */
import { UserError } from '../../base/errors.js'
import type { CtrConfig } from '../../config/ctr.js'
import { type ImpressionOptions, type ImpressionPaths, itemNumbers, userNumbers } from '../../data/clicks/contract.js'
import { buildDataset, type CtrDataset } from '../../data/clicks/dataset.js'
import { loadEncoders, type NumberTables, saveEncoders } from '../../data/clicks/encoders.js'
import {
  checkNames,
  columnsOf,
  type FeatureColumn,
  type FeaturePlan,
  featureKinds,
  hashedRow,
  nameOf,
  numberValues,
  planFeatures,
  planSides,
  selectFeatures,
} from '../../data/clicks/features.js'
import { type Impressions, loadImpressions, openImpressions } from '../../data/clicks/impressions.js'
import { orderInTime } from '../../data/clicks/leaks.js'
import type { Vocabulary } from '../../data/clicks/vocabulary.js'
import type { ColumnStore } from '../../data/tables/column.js'
import { findTable, openTable, type Table } from '../../data/tables/contract.js'
import { type Database, identifier } from '../../data/tables/duckdb.js'
import { type ContentTable, loadContent, sideBySide } from '../../data/vectors/contentTable.js'
import { withSearch } from '../../data/vectors/search.js'
import { searchOf, usesContent } from '../../models/ctr/index.js'
import { checkClasses } from './describe.js'
import { storeFor } from './store.js'

/**
 * The data set of a configuration. `trained` is a folder that `saveFeatures` wrote: the impressions, which need no
 * labels then, are all of the test part and are encoded as those that the model learned from.
 */
export async function loadDataset(
  db: Database,
  config: CtrConfig,
  { trained, store }: { trained?: string; store?: ColumnStore } = {},
): Promise<CtrDataset> {
  const { data, history, features, split, model } = config
  const readsContent = usesContent(model)
  if (readsContent && data.embeddings === null) {
    const remedy = 'run mim embed and add --embeddings FOLDER, or use --model din'
    throw new UserError({ id: 'embeddings-missing', what: `model '${model.name}' needs content vectors`, remedy })
  }
  const behaviorSearch = searchOf(model)
  // A search compares what is known of behaviors and of the target alike.
  const ofTargets = features.history.flatMap((side) => (side.kind === 'category' && side.target ? [side] : []))
  const searchable = [...features.items, ...ofTargets].map(nameOf)
  if (behaviorSearch.kind === 'hard' && !searchable.includes(behaviorSearch.feature)) {
    const expected = `model.behaviorSearch.feature among features of items, or of histories with a target: ${searchable.join(', ')}`
    throw new UserError({ id: 'search-feature', what: `a hard search by '${behaviorSearch.feature}'`, expected })
  }
  const paths = pathsOf(data.root, data.impressions)
  const options: ImpressionOptions = {
    ...data,
    impressions: paths,
    behaviors: findTable(data.root, data.behaviors),
    actions: history.actions,
    length: history.length,
    padding: history.padding,
    unlabeled: trained !== undefined,
  }
  const tables = await openImpressions(db, options)
  const items = features.items.length > 0 ? await openItems(db, config) : undefined
  const ofItems = items ? planFeatures(features.items, items, 't') : []
  const context = planFeatures(features.context, tables.impressions, 't')
  const { sides, gap } = planSides(features.history, tables.impressions, tables.behaviors)
  checkNames([...ofItems, ...context, ...sides].map(({ name }) => name))

  const { impressions: shown, behaviors } = tables
  const counts = await numberValues(db, [
    ...ofItems.map((plan) => ({ plan, sql: plan.sql, from: `${items!.source} t` })),
    ...[...context, ...sides.flatMap((side) => (side.target ? [{ ...side, sql: [side.target] }] : []))].map((plan) => ({
      plan,
      sql: plan.sql,
      from: `${shown.source} t`,
    })),
    ...sides.map((plan) =>
      behaviors
        ? { plan, sql: plan.sql, from: `${behaviors.source} t` }
        : { plan, sql: ['CAST(x AS VARCHAR)'], from: `(SELECT unnest(${plan.sql[0]}) AS x FROM ${shown.source} t)` },
    ),
  ])
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
  const planned = { context, sides, gap }
  const kept = store ?? (await storeFor(db, config, tables, planned))
  const impressions = await loadImpressions(db, options, tables, planned, catalogue, kept)
  const itemColumns = items ? await loadItemColumns(db, items, id, ofItems) : []
  const content = readsContent ? await loadAllContent(db, config, impressions.items) : undefined

  const valueTables = {
    ...idTables(features.user, impressions),
    ...Object.fromEntries(
      Object.entries(counts).map(([table, { numbers, count }]) => [
        table,
        { numbers, count, value: 'value', number: 'number' },
      ]),
    ),
  }
  const hashed = features.idRows === null ? undefined : await hashIds(db, features.idRows)
  const saved = trained === undefined ? undefined : await loadEncoders(db, trained, valueTables)
  if (saved && hashed) Object.assign(saved.vocabularies, hashed)
  const { user, minCount } = features
  const timeOrder = await orders(db, impressions, features.user)
  const whiten = { kept: data.whiten, power: data.whitenPower }
  const built = {
    split,
    user,
    minCount,
    gap,
    hashed,
    whiten,
    tables: valueTables,
    timeOrder,
    encoders: saved,
    store: kept,
  }
  const dataset = buildDataset(impressions, itemColumns, content, built)
  if (behaviorSearch.kind === 'soft' && dataset.content) dataset.content = withSearch(dataset.content)
  if (!trained) checkClasses(dataset, typeof paths === 'string' ? paths : paths.train)
  return dataset
}

/** Writes what `loadDataset` needs to encode new impressions for a model trained on `data` into `folder`. */
export async function saveFeatures(db: Database, { encoders, tables }: CtrDataset, folder: string): Promise<void> {
  await saveEncoders(db, encoders, tables, folder)
}

/** The vectors of all tables, side by side. */
async function loadAllContent(db: Database, { data }: CtrConfig, items: number): Promise<ContentTable> {
  const { contentType: type, columns, embeddingScale: scale, normalize } = data
  const { embeddingItem: item, embedding } = columns
  const tables: ContentTable[] = []
  for (const path of [data.embeddings!].flat()) {
    tables.push(await loadContent(db, { path, type, item, embedding, scale, normalize }, itemNumbers, items))
  }
  return sideBySide(tables)
}

function pathsOf(root: string, paths: ImpressionPaths): ImpressionPaths {
  if (typeof paths === 'string') return findTable(root, paths)
  const [train, valid, test] = [paths.train, paths.valid, paths.test].map((path) => findTable(root, path))
  return { train, valid, test }
}

async function openItems(db: Database, { data }: CtrConfig): Promise<Table> {
  return openTable(db, findTable(data.root, data.items), { [data.columns.item]: { type: 'id', unique: true } })
}

/** Features of items by dense item number; of items that the table does not have they are missing. */
async function loadItemColumns(db: Database, { source }: Table, id: string, plans: readonly FeaturePlan[]) {
  const { select, joins } = selectFeatures(plans)
  const read = await db.columns(
    `SELECT n.item ${select} FROM ${itemNumbers} n LEFT JOIN ${source} t ON t.${id} = n.item_id ${joins} ORDER BY n.item`,
    featureKinds(plans),
  )
  return columnsOf(plans, read) satisfies FeatureColumn[]
}

function idTables(user: boolean, { items, users }: Impressions): NumberTables {
  const item = { numbers: itemNumbers, value: 'item_id', number: 'item', count: items }
  return user ? { item, user: { numbers: userNumbers, value: 'user_id', number: 'usr', count: users } } : { item }
}

/** How much the ids of users, items and categories of impressions grow with time. */
async function orders(db: Database, { user, item, users, items, context }: Impressions, usesUser: boolean) {
  const found: Record<string, number> = {
    ...(usesUser ? { user: orderInTime(user, users) } : {}),
    item: orderInTime(item, items),
  }
  for (const { name, numbers, codes, values } of context) {
    if (numbers === undefined || codes === undefined || values > 1) continue
    // Numbers of values follow their texts, in which 10 comes before 9.
    const { rank } = await db.columns(
      `SELECT row_number() OVER (ORDER BY try_cast(value AS DOUBLE), value) AS rank FROM ${identifier(numbers)}
       ORDER BY number`,
      { rank: 'int32' },
    )
    found[name] = orderInTime(codes, rank.length, (code) => (code < 0 ? -1 : rank[code]))
  }
  return found
}

async function hashIds(db: Database, rows: number): Promise<{ item: Vocabulary; user: Vocabulary }> {
  const hashed = async (table: string, id: string, number: string): Promise<Vocabulary> => {
    const row = hashedRow(`CAST(${id} AS VARCHAR)`, rows)
    const read = await db.columns(`SELECT ${row} AS row FROM ${table} ORDER BY ${number}`, { row: 'int32' })
    return { rowOf: read.row, size: rows }
  }
  return { item: await hashed(itemNumbers, 'item_id', 'item'), user: await hashed(userNumbers, 'user_id', 'usr') }
}
