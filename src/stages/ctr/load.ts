/** Reads the tables of `mim ctr` into one data set. */
import { UserError } from '../../base/errors.js'
import type { CtrConfig } from '../../config/ctr.js'
import { checkClicks, checkKnown, checkVectors } from '../../data/clicks/checks/coverage.js'
import { checkFeatures } from '../../data/clicks/checks/features.js'
import { type CtrDataset, encodeClicks } from '../../data/clicks/dataset.js'
import { loadEncoders, saveEncoders } from '../../data/clicks/encoders.js'
import { addClickFacts } from '../../data/clicks/facts.js'
import { nameOf } from '../../data/clicks/features.js'
import { type ClickPlan, planClicks } from '../../data/clicks/plan.js'
import { type Clicks, readClicks } from '../../data/clicks/read.js'
import { splitOf } from '../../data/clicks/split.js'
import { type ClickSources, type ImpressionPaths, openClicks } from '../../data/clicks/tables.js'
import { timeOrders } from '../../data/clicks/timeOrder.js'
import { DataFacts } from '../../data/facts.js'
import type { ColumnStore } from '../../data/tables/column.js'
import { findTable } from '../../data/tables/contract.js'
import type { JoinPolicy } from '../../data/tables/coverage.js'
import type { Database } from '../../data/tables/duckdb.js'

import { type ContentTable, loadContent, sideBySide } from '../../data/vectors/contentTable.js'
import { withSearch } from '../../data/vectors/search.js'
import { vectorIds } from '../../data/vectors/sources.js'
import { searchOf, usesContent } from '../../models/ctr/index.js'
import { checkClasses, checkWeights, noteSizes } from './describe.js'
import { storeFor } from './store.js'

/**
 * The data set of a configuration. With `trained`, a folder that `saveFeatures` wrote, all impressions are the test part,
 * need no labels and are encoded as in training. `facts` gets what is worth telling about the tables.
 * @throws UserError `embeddings-missing`, `search-feature`, `labels-one-class`, and those of reading the tables.
 */
export async function loadDataset(
  db: Database,
  config: CtrConfig,
  { trained, store, facts = new DataFacts() }: { trained?: string; store?: ColumnStore; facts?: DataFacts } = {},
): Promise<CtrDataset> {
  checkModel(config)
  const sources = { ...sourcesOf(config), unlabeled: trained !== undefined, needsRows: trained === undefined }
  const tables = await openClicks(db, sources, facts)
  await addClickFacts(db, config, tables, facts, { isScored: trained !== undefined })
  const plan = planClicks(config, tables)
  const kept = store ?? (await storeFor(db, config.data.memory, plan))
  try {
    const dataset = await readDataset(db, config, plan, { trained, store: kept, facts })
    if (!trained) {
      warnOfOneMoment(plan, facts)
      checkClasses(dataset, tables.impressions.path)
      checkWeights(dataset, tables.impressions.path)
      noteSizes(dataset, facts)
    }
    return dataset
  } catch (error) {
    if (!store) kept.close()
    throw error
  }
}

async function readDataset(
  db: Database,
  config: CtrConfig,
  plan: ClickPlan,
  { trained, store, facts }: { trained?: string; store: ColumnStore; facts: DataFacts },
): Promise<CtrDataset> {
  const { data, features, split, model } = config
  // Impressions to be scored may be of new users and items.
  const policy = { facts, least: trained === undefined ? data.minCoverage : 0, stops: trained === undefined }
  const clicks = await readClicks(db, plan, store, policy)
  await checkClicks(db, plan, clicks, policy)
  await checkFeatures(db, plan, clicks, splitOf(clicks.impressions, split).train.to, policy)
  const { numbers } = clicks
  const content = usesContent(model) ? await loadAllContent(db, config, plan, clicks, policy) : undefined
  const hashed = features.idRows === null ? undefined : await numbers.hashedRows(db, features.idRows)
  const saved = trained === undefined ? undefined : await loadEncoders(db, trained, numbers)
  if (saved && !hashed) await checkKnown(db, plan, clicks, saved, trained!, policy)
  if (saved && hashed) Object.assign(saved.vocabularies, hashed)
  const dataset = encodeClicks(clicks, content, {
    split,
    user: features.user,
    minCount: features.minCount,
    gap: plan.gap,
    hashed,
    whiten: { kept: data.whiten, power: data.whitenPower },
    timeOrder: trained === undefined && !isOneMoment(plan) ? await timeOrders(db, clicks, features.user) : {},
    encoders: saved,
    store,
  })
  if (searchOf(model).kind === 'soft' && dataset.content) dataset.content = withSearch(dataset.content)
  return dataset
}

/** Whether all impressions are of the same time, so that their order means nothing. */
const isOneMoment = ({ tables: { times } }: ClickPlan) => times !== undefined && times.shown.first === times.shown.last

/** Writes the encoders that `loadDataset` needs to score new impressions into `folder`. */
export async function saveFeatures(db: Database, { encoders, numbers }: CtrDataset, folder: string): Promise<void> {
  await saveEncoders(db, encoders, numbers, folder)
}

function warnOfOneMoment(plan: ClickPlan, facts: DataFacts): void {
  if (!isOneMoment(plan)) return
  const what = 'all impressions have the same time: the split into train, valid and test follows no order of time'
  facts.warn({ id: 'times-equal', where: plan.tables.paths[0], what, remedy: 'check data.columns.time' })
}

/** @throws UserError for a model without the vectors that it needs, or a search by a feature that there is not. */
function checkModel({ data, features, model }: CtrConfig): void {
  if (usesContent(model) && data.embeddings === null) {
    const remedy = 'run mim embed and add --embeddings FOLDER, or use --model din'
    throw new UserError({ id: 'embeddings-missing', what: `model '${model.name}' needs content vectors`, remedy })
  }
  const { kind, feature } = searchOf(model)
  // A search compares a feature of behaviors with the same feature of the target.
  const withTarget = features.history.flatMap((spec) => (spec.kind === 'category' && spec.target ? [spec] : []))
  const searchable = [...features.items, ...withTarget].map(nameOf)
  if (kind !== 'hard' || searchable.includes(feature)) return
  const expected = `model.behaviorSearch.feature among features of items, or of histories with a target: ${searchable.join(', ')}`
  throw new UserError({ id: 'search-feature', what: `no feature '${feature}' for the hard search`, expected })
}

function sourcesOf({ data, features }: CtrConfig): ClickSources {
  const { root, columns, timeUnit, timeZone } = data
  return {
    impressions: pathsOf(root, data.impressions),
    behaviors: findTable(root, data.behaviors),
    items: features.items.length > 0 ? findTable(root, data.items) : undefined,
    columns,
    timeUnit,
    timeZone,
  }
}

function pathsOf(root: string, paths: ImpressionPaths): ImpressionPaths {
  if (typeof paths === 'string') return findTable(root, paths)
  const [train, valid, test] = [paths.train, paths.valid, paths.test].map((path) => findTable(root, path))
  return { train, valid, test }
}

/** The vectors of all tables, concatenated for each item. */
async function loadAllContent(
  db: Database,
  { data }: CtrConfig,
  plan: ClickPlan,
  clicks: Clicks,
  policy: JoinPolicy,
): Promise<ContentTable> {
  const { contentType: type, columns, embeddingScale: scale, normalize, embeddings } = data
  const { embeddingItem: item, embedding } = columns
  const { items } = clicks.numbers
  const paths = [embeddings!].flat()
  const tables: ContentTable[] = []
  for (const path of paths) {
    const source = { path, type, item, embedding, scale, normalize }
    const table = await loadContent(db, source, items.name, items.count, policy.facts)
    const name = paths.length === 1 ? 'vectors' : `vectors of ${path}`
    await checkVectors(db, plan, clicks, { name, ids: vectorIds(db, source), rowOf: table.rowOf }, policy)
    tables.push(table)
  }
  return sideBySide(tables)
}
