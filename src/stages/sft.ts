/** Stage 2, C-SFT: behaviour supervises the vectors. What a user asked with is drawn to what the user then chose. */
import { checkpointFolder, openWeights, readModelFolder } from '../checkpoint/model.js'
import type { SftConfig } from '../config/sft.js'
import { type Catalogue, prepareCatalogue } from '../data/catalogue.js'
import { Database } from '../data/duckdb.js'
import { folderOf, loadItems } from '../data/items.js'
import { fingerprintOfFiles, type Pictures, preparePictures } from '../data/pictures.js'
import { type AnchorKind, anchorKinds, buildPositives, type Positives } from '../data/positives.js'
import { findTable } from '../data/table.js'
import { type TextEncoder, textEncoder } from '../data/tokenizer.js'
import { openEngine } from '../engine/index.js'
import { recallAtK } from '../metrics/index.js'
import { encoderShape } from '../models/encoder.js'
import { type RecallTask, recallSection } from '../report/index.js'
import { train } from '../train/loop.js'
import type { Run } from '../train/run.js'
import { showSearches } from './gallery.js'
import { prefixed } from './results.js'
import { type Judged, SftTrainee } from './sftTrainee.js'

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
  text: TextEncoder
}

export async function sft(config: SftConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const model = readModelFolder(checkpointFolder(config.init))
  const shape = encoderShape(model)
  const data = await loadData(config, model, run)
  describe(data.positives, run)
  const engine = await openEngine(config, (line) => run.say(line))
  const weights = openWeights(model.path)
  const trainee = new SftTrainee(engine, data, model, shape, config, weights)
  weights.close()
  const ranksBefore = new Map<AnchorKind, Float64Array>()
  const before = trainee.judge('test', ({ kind, ranks }) => ranksBefore.set(kind, ranks))
  run.say(`before: ${text(before)}`, before)
  const { stepsPerEpoch } = trainee
  const steps = Math.max(1, Math.round(stepsPerEpoch * config.train.epochs))
  const evaluateEvery = config.train.evaluateEvery || stepsPerEpoch
  const result = await train(
    trainee.plan(steps),
    {
      ...config.train,
      steps,
      evaluateEvery,
      saveEvery: config.train.saveEvery || evaluateEvery,
      monitor: 'valid_recall_10',
      greaterIsBetter: true,
    },
    run,
  )
  const best = openWeights(run.path('checkpoint'))
  trainee.loadModel(best)
  best.close()
  const judged: Judged[] = []
  const after = trainee.judge('test', (found) => judged.push(found))
  run.say(`after: ${text(after)}`, after)
  await run.show(() => recallSection(judged.map((found) => recallTask(found, ranksBefore.get(found.kind)!))))
  const { catalogue, positives, anchors } = data
  await run.show(() => showSearches(catalogue.items, config.data, positives, anchors.folder, judged))
  trainee.close()
  return {
    ...prefixed('before', before),
    ...prefixed('after', after),
    ...result.best,
    best_step: result.bestStep,
    steps: result.steps,
    pairs_seen: result.steps * config.train.batch,
    positives: data.positives.bySource,
    engine: engine.name,
    seconds: (Date.now() - started) / 1000,
  }
}

function recallTask({ kind, ranks }: Judged, ranksBefore: Float64Array): RecallTask {
  const ks = [1, 10, 50]
  const [before, after] = [recallAtK(ranksBefore, ks), recallAtK(ranks, ks)]
  const recalls = ks.map((k, i) => ({ k, before: before[i], after: after[i] }))
  return { title: `Asked with ${kind}`, hint: `${ranks.length} queries of the test period`, recalls }
}

const text = (metrics: Record<string, number>) =>
  Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(', ')

async function loadData(config: SftConfig, model: ReturnType<typeof readModelFolder>, run: Run): Promise<SftData> {
  const { data, positives: options, split } = config
  const shape = encoderShape(model)
  const db = await Database.open()
  const items = await loadItems(db, findTable(data.root, data.items), data.columns)
  const path = findTable(data.root, data.behaviors)
  const positives = await buildPositives(db, {
    path,
    columns: data.behaviorColumns,
    timeUnit: data.timeUnit,
    split,
    ...options,
  })
  const encoder = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const pictureOptions = {
    size: shape.config.vision.imageSize,
    fit: model.preprocessing.fit,
    cache: data.cache,
    maxBad: data.maxBadImages,
    maxPixels: data.maxImagePixels,
  }
  const bar = run.terminal.bar('pictures', items.count + positives.queryImages.length)
  const catalogue = await prepareCatalogue(items, encoder, pictureOptions, (done) => bar.update(done))
  const folder = folderOf(path)
  const source = {
    count: positives.queryImages.length,
    fingerprint: fingerprintOfFiles(folder, positives.queryImages),
    folder,
    async *read() {
      for (let from = 0; from < positives.queryImages.length; from += 256)
        yield positives.queryImages.slice(from, from + 256)
    },
  }
  const pictures = await preparePictures(source, pictureOptions, (done) => bar.update(items.count + done))
  bar.stop()
  db.close()
  return {
    catalogue,
    positives,
    anchors: { pictures, tokens: encoder.encode(positives.queryTexts), folder },
    text: encoder,
  }
}

/** Says how many pairs there are, by source, part and kind of anchor. */
function describe({ bySource, kind, part, count }: Positives, run: Run): void {
  const sources = Object.entries(bySource).map(([source, n]) => `${source} ${n}`)
  const inTraining = anchorKinds.map((name, k) => {
    let n = 0
    for (let i = 0; i < count; i++) if (kind[i] === k && part[i] === 0) n++
    return `${n} by ${name}`
  })
  run.say(`pairs: ${sources.join(', ')}; for training ${inTraining.join(', ')}`)
}
