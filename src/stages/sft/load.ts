/** What C-SFT learns from: the catalogue, pairs of anchors and chosen items, and what users asked with. */
import { rmSync } from 'node:fs'
import type { ModelFolder } from '../../checkpoint/folder.js'
import type { SftConfig } from '../../config/sft.js'
import type { ContentVectors } from '../../data/choices/contentFiltered.js'
import { countChoices } from '../../data/choices/coOccurrence.js'
import {
  anchorKinds,
  buildPositives,
  type Positives,
  parts,
  withReadableAnchors,
} from '../../data/choices/positives.js'
import { type Catalogue, prepareCatalogue } from '../../data/items/catalogue.js'
import { folderOf, itemNumbers, loadItems } from '../../data/items/items.js'
import type { Pictures } from '../../data/pictures/pictures.js'
import {
  fingerprintOfFiles,
  type PictureOptions,
  pictureOptions,
  preparePictures,
} from '../../data/pictures/prepare.js'
import { writeRejected } from '../../data/pictures/rejected.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { SharedTexts } from '../../data/tables/sharedMemory.js'
import { textEncoder } from '../../data/text/tokenizer.js'
import { contentWidth, encoderShape } from '../../models/encoder.js'
import type { Run } from '../../train/run.js'
import { decoding, tellPictures } from '../shared/decoding.js'
import type { ItemVectors } from '../shared/encode.js'
import { type BaselineRanks, rankByCounts } from './baselines.js'
import { judgedPairs } from './recall.js'

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
    // Behaviors are checked before the work of encoding begins.
    const first = () => (encoded ??= encode(catalogue))
    const content = async () => ({ vectors: (await first()).content, width: contentWidth(shape) })
    const found = await findPairs(db, path, config, content)
    const folder = folderOf(path)
    const pictures = await queryPictures(found.positives.queryImages, folder, options, run)
    const positives = withReadableAnchors(found.positives, pictures.present)
    tellPairs(run, positives, found)
    const judged = judgedPairs(positives, 'test', config.evaluation.queries)
    const counts = await countChoices(db, positives, judged, items.count)
    const anchors = { pictures, tokens: text.encode(positives.queryTexts), folder }
    return { catalogue, positives, anchors, first: await first(), baselines: rankByCounts(positives, judged, counts) }
  } finally {
    db.close()
    rmSync(spill, { recursive: true, force: true })
  }
}

interface FoundPairs {
  positives: Positives
  seconds: number
}

async function findPairs(
  db: Database,
  path: string,
  { data, positives: options, split }: SftConfig,
  content: () => Promise<ContentVectors>,
): Promise<FoundPairs> {
  const started = performance.now()
  const log = { path, columns: data.behaviorColumns, timeUnit: data.timeUnit, split }
  const positives = await buildPositives(db, { ...log, ...options }, content)
  return { positives, seconds: (performance.now() - started) / 1000 }
}

/** Says what each source gives and what is left of it to learn from. */
function tellPairs(run: Run, { bySource, kind, part, count }: Positives, found: FoundPairs): void {
  const inTraining = anchorKinds.map((name, k) => {
    let n = 0
    for (let i = 0; i < count; i++) if (kind[i] === k && part[i] === parts.train) n++
    return `${n} by ${name}`
  })
  const sources = Object.entries(bySource).map(([source, n]) => `${source} ${n}`)
  const dropped = found.positives.count - count
  const broken = dropped > 0 ? `; ${dropped} left out, for their query picture is broken` : ''
  run.say(
    `pairs, built in ${found.seconds.toFixed(1)} s: ${sources.join(', ')}${broken}; for training ${inTraining.join(', ')}`,
  )
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
