/** Loads what C-SFT learns from: the catalogue, positive pairs, and the pictures and texts of queries. */
import { UserError } from '../../base/errors.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import type { SftConfig } from '../../config/sft.js'
import { countChoices } from '../../data/choices/coOccurrence.js'
import { checkBehaviors } from '../../data/choices/coverage.js'
import { addLogFacts } from '../../data/choices/facts.js'
import { BehaviorLog, parts } from '../../data/choices/log.js'
import { buildPositives, type Positives, withReadableQueries } from '../../data/choices/positives.js'
import { type ContentVectors, queryKinds } from '../../data/choices/sources/source.js'
import { DataFacts } from '../../data/facts.js'
import { type Catalogue, noteModalities, prepareCatalogue } from '../../data/items/catalogue.js'
import { folderOf, type Items, loadItems } from '../../data/items/items.js'
import type { Pictures } from '../../data/pictures/pictures.js'
import { fingerprintOf, type PictureOptions, pictureOptions, preparePictures } from '../../data/pictures/prepare.js'
import { type Rejected, writeRejectedPaths } from '../../data/pictures/rejected.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { SharedTexts } from '../../data/tables/sharedMemory.js'
import { type TextEncoder, textEncoder } from '../../data/text/tokenizer.js'
import { contentWidth, encoderShape } from '../../models/encoder.js'
import type { Run } from '../../train/run.js'
import { decoding, rejectedList, tellPictures } from '../shared/decoding.js'
import type { ItemVectors } from '../shared/encode.js'
import { type BaselineRanks, rankByCounts } from './baselines.js'
import { judgedPairs } from './recall.js'

/** The pictures and texts that users searched with. */
export interface SearchQueries {
  pictures: Pictures
  /** Token ids [queryTexts, length]. */
  tokens: Int32Array
  /** Folder to which paths of query pictures are relative. */
  folder: string
}

export interface SftData {
  catalogue: Catalogue
  positives: Positives
  queries: SearchQueries
  /** Vectors of all items by the model of stage 1. */
  first: ItemVectors
  /** Ranks of the targets of the test part by counts alone. */
  baselines: BaselineRanks
}

/** Closes the picture files of the data. */
export function closeSftData({ catalogue, queries }: Pick<SftData, 'catalogue' | 'queries'>): void {
  catalogue.pictures.close()
  queries.pictures.close()
}

/** Reads and checks the inputs and logs the number of pairs by source. `encode` makes the vectors of stage 1. */
export async function loadSftData(
  config: SftConfig,
  model: ModelFolder,
  run: Run,
  encode: (catalogue: Catalogue) => Promise<ItemVectors>,
): Promise<SftData> {
  const { data } = config
  const shape = encoderShape(model)
  const opened: Pictures[] = []
  const facts = new DataFacts()
  const db = await Database.open({ memory: data.memory, temporary: run.path('spill') })
  try {
    const items = await loadItems(db, findTable(data.root, data.items), data.columns, facts)
    const text = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
    const list = rejectedList(run)
    const fitting = pictureOptions(data, shape.config.vision.imageSize, model.preprocessing.fit, list)
    const options = { ...fitting, say: (line: string) => run.say(line) }
    const catalogue = await openCatalogueOf(items, text, options, run)
    opened.push(catalogue.pictures)
    await run.checkInput('pictures', catalogue.pictures.print)
    noteModalities(catalogue, facts)
    let encoded: Promise<ItemVectors> | undefined
    // Lazy, so that the behaviors are checked before the items are encoded.
    const first = () => (encoded ??= encode(catalogue))
    const content = async () => ({ vectors: (await first()).content, width: contentWidth(shape) })
    const found = await findPairs(db, items, config, content, facts)
    const folder = folderOf(found.log.options.path)
    const pictures = await queryPictures(db, found, folder, options, run)
    opened.push(pictures)
    await run.checkInput('query pictures', pictures.print)
    addQueryFacts(found.positives, pictures, facts)
    run.tell(facts)
    const positives = withReadableQueries(found.positives, pictures.present)
    sayPairs(run, positives, found)
    const judged = judgedPairs(positives, 'test', config.evaluation.queries)
    const counts = await countChoices(found.log, positives, judged, items.count)
    const queries = { pictures, tokens: text.encode(positives.queryTexts), folder }
    return { catalogue, positives, queries, first: await first(), baselines: rankByCounts(positives, judged, counts) }
  } catch (error) {
    // What is odd about the data may be the cause.
    if (error instanceof UserError) for (const warning of facts.warnings) run.warn(warning)
    for (const pictures of opened) pictures.close()
    throw error
  } finally {
    db.close()
  }
}

async function openCatalogueOf(items: Items, text: TextEncoder, options: PictureOptions, run: Run): Promise<Catalogue> {
  const catalogue = await decoding(run, 'pictures', items.count, (progress) =>
    prepareCatalogue(items, text, options, progress),
  )
  tellPictures(run, 'pictures', catalogue.pictures, { where: items.pictures.where, list: options.list })
  return catalogue
}

interface FoundPairs {
  log: BehaviorLog
  positives: Positives
  seconds: number
}

async function findPairs(
  db: Database,
  items: Items,
  { data, positives: options, split }: SftConfig,
  content: () => Promise<ContentVectors>,
  facts: DataFacts,
): Promise<FoundPairs> {
  const started = performance.now()
  const log = await BehaviorLog.open(
    db,
    items,
    {
      path: findTable(data.root, data.behaviors),
      columns: data.behaviorColumns,
      timeUnit: data.timeUnit,
      timeZone: data.timeZone,
      sessionMinutes: options.sessionMinutes,
      split,
    },
    facts,
  )
  await addLogFacts(log, facts)
  await checkBehaviors(log, items, { facts, least: data.minCoverage, stops: true })
  const positives = await buildPositives(log, options, content)
  return { log, positives, seconds: (performance.now() - started) / 1000 }
}

/** Adds the query pictures that can be read to the facts, and the sources that found no pair. */
function addQueryFacts({ bySource, queryImages }: Positives, { present }: Pictures, facts: DataFacts): void {
  const of = queryImages.length
  if (of > 0)
    facts.joins.push({ join: 'query pictures → files', matched: present.reduce((sum, is) => sum + is, 0), of })
  const empty = Object.keys(bySource).filter((source) => bySource[source] === 0)
  if (empty.length > 0) facts.notes.push(`positives.sources without a pair: ${empty.join(', ')}`)
}

/** Logs the number of pairs of each source, and of training pairs by kind of query. */
function sayPairs(run: Run, { bySource, kind, part, count }: Positives, found: FoundPairs): void {
  const inTraining = queryKinds.map((name, k) => {
    let n = 0
    for (let i = 0; i < count; i++) if (kind[i] === k && part[i] === parts.train) n++
    return `${n} by ${name}`
  })
  const sources = Object.entries(bySource).map(([source, n]) => `${source} ${n}`)
  const dropped = found.positives.count - count
  const broken = dropped > 0 ? `; ${dropped} left out because their query picture is broken` : ''
  run.say(
    `pairs, built in ${found.seconds.toFixed(1)} s: ${sources.join(', ')}${broken}; for training ${inTraining.join(', ')}`,
  )
}

async function queryPictures(
  db: Database,
  { log, positives: { queryImages: paths } }: FoundPairs,
  folder: string,
  options: PictureOptions,
  run: Run,
): Promise<Pictures> {
  const list = rejectedList(run, 'rejected_queries.parquet')
  const source = {
    count: paths.length,
    of: 'data.behaviors',
    fingerprint: await fingerprintOf(folder, [{ path: paths }]),
    folder,
    where: `${log.options.path}: column '${log.options.columns.queryImage}'`,
    async *read() {
      for (let from = 0; from < paths.length; from += 256) yield paths.slice(from, from + 256)
    },
    paths: async (step: number) => paths.filter((_, i) => i % step === 0),
    origin: async () => ({ paths: SharedTexts.of(paths).packed }),
    list: (rejected: readonly Rejected[], file: string) => writeRejectedPaths(db, rejected, file),
  }
  const pictures = await decoding(run, 'query pictures', paths.length, (progress) =>
    preparePictures(source, { ...options, list }, progress),
  )
  tellPictures(run, 'query pictures', pictures, { where: source.where, list })
  return pictures
}
