/** What C-SFT learns from: the catalogue, pairs of anchors and chosen items, and what users asked with. */
import { rmSync } from 'node:fs'
import type { ModelFolder } from '../checkpoint/model.js'
import type { SftConfig } from '../config/sft.js'
import { type Catalogue, prepareCatalogue } from '../data/catalogue.js'
import type { ContentVectors } from '../data/contentFiltered.js'
import { countChoices } from '../data/coOccurrence.js'
import { Database } from '../data/duckdb.js'
import { folderOf, itemNumbers, loadItems } from '../data/items.js'
import type { Pictures } from '../data/pictures.js'
import { anchorKinds, buildPositives, type Positives, parts } from '../data/positives.js'
import { fingerprintOfFiles, type PictureOptions, pictureOptions, preparePictures } from '../data/preparePictures.js'
import { writeRejected } from '../data/rejected.js'
import { SharedTexts } from '../data/shared.js'
import { findTable } from '../data/table.js'
import { textEncoder } from '../data/tokenizer.js'
import { contentWidth, encoderShape } from '../models/encoder.js'
import type { Run } from '../train/run.js'
import { decoding, tellPictures } from './decoding.js'
import type { ItemVectors } from './encoder.js'
import { type BaselineRanks, rankByCounts } from './sftBaselines.js'
import { judgedPairs } from './sftJudge.js'

/** Anchors of a data set: the pictures and texts that users asked with. */
export interface Anchors {
  pictures: Pictures
  /** Token ids [queryTexts, length]. */
  tokens: Int32Array
  /** Folder that paths of query pictures start from. */
  folder: string
}

export interface SftData {
  catalogue: Catalogue
  positives: Positives
  anchors: Anchors
  /** What stage 1 makes of all items. */
  first: ItemVectors
  /** What counts find for the events of the test part. */
  baselines: BaselineRanks
}

/** Reads and checks the inputs; says how many pairs each source gives. `encode` makes the vectors of stage 1. */
export async function loadSftData(
  config: SftConfig,
  model: ModelFolder,
  run: Run,
  encode: (catalogue: Catalogue) => Promise<ItemVectors>,
): Promise<SftData> {
  const { data } = config
  const shape = encoderShape(model)
  const spill = run.path('spill')
  const db = await Database.open({ memory: data.memory, temporary: spill })
  try {
    const items = await loadItems(db, findTable(data.root, data.items), data.columns)
    const path = findTable(data.root, data.behaviors)
    const text = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
    const options = pictureOptions(data, shape.config.vision.imageSize, model.preprocessing.fit)
    const catalogue = await decoding(run, 'pictures', items.count, (progress) =>
      prepareCatalogue(items, text, options, progress),
    )
    tellPictures(run, 'pictures', catalogue.pictures, 'rejected.parquet')
    await writeRejected(db, itemNumbers, catalogue.pictures.rejected, run.path('rejected.parquet'))
    let encoded: Promise<ItemVectors> | undefined
    // Behaviours are checked before the work of encoding begins.
    const first = () => (encoded ??= encode(catalogue))
    const content = async () => ({ vectors: (await first()).content, width: contentWidth(shape) })
    const positives = await loadPositives(db, path, config, run, content)
    const judged = judgedPairs(positives, 'test', config.evaluation.queries)
    const counts = await countChoices(db, positives, judged, items.count)
    const folder = folderOf(path)
    const pictures = await queryPictures(positives.queryImages, folder, options, run)
    const anchors = { pictures, tokens: text.encode(positives.queryTexts), folder }
    return { catalogue, positives, anchors, first: await first(), baselines: rankByCounts(positives, judged, counts) }
  } finally {
    db.close()
    rmSync(spill, { recursive: true, force: true })
  }
}

async function loadPositives(
  db: Database,
  path: string,
  { data, positives: options, split }: SftConfig,
  run: Run,
  content: () => Promise<ContentVectors>,
): Promise<Positives> {
  const started = performance.now()
  const log = { path, columns: data.behaviorColumns, timeUnit: data.timeUnit, split }
  const positives = await buildPositives(db, { ...log, ...options }, content)
  const { bySource, kind, part, count } = positives
  const inTraining = anchorKinds.map((name, k) => {
    let n = 0
    for (let i = 0; i < count; i++) if (kind[i] === k && part[i] === parts.train) n++
    return `${n} by ${name}`
  })
  const sources = Object.entries(bySource).map(([source, n]) => `${source} ${n}`)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  run.say(`pairs, built in ${seconds} s: ${sources.join(', ')}; for training ${inTraining.join(', ')}`)
  return positives
}

async function queryPictures(paths: string[], folder: string, options: PictureOptions, run: Run): Promise<Pictures> {
  const source = {
    count: paths.length,
    fingerprint: fingerprintOfFiles(folder, paths),
    folder,
    async *read() {
      for (let from = 0; from < paths.length; from += 256) yield paths.slice(from, from + 256)
    },
    origin: async () => ({ paths: SharedTexts.of(paths).packed }),
  }
  const pictures = await decoding(run, 'query pictures', paths.length, (progress) =>
    preparePictures(source, options, progress),
  )
  for (const { path, reason } of pictures.rejected) run.log.warn({ path, reason }, 'broken query picture')
  tellPictures(run, 'query pictures', pictures, 'log.jsonl')
  return pictures
}
