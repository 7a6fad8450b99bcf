/**
 * Stage 1: adapt an image-text model to the catalogue. Image and title of an item are each other's
 * positive; the fusion head learns that an item is the same when one of the two is missing. Where no item
 * has both, two views of its picture or of its title are.
 */
import { UserError } from '../../base/errors.js'
import { type Adaptation, adaptModel } from '../../checkpoint/adapt.js'
import { newModel } from '../../checkpoint/create.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { openCheckpoint } from '../../checkpoint/hub.js'
import { checkTowers } from '../../checkpoint/model.js'
import { withProvenance } from '../../checkpoint/provenance.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import { prepareCatalogue } from '../../data/items/catalogue.js'
import { type Items, loadItems } from '../../data/items/items.js'
import { pictureOptions } from '../../data/pictures/prepare.js'
import { writeRejected } from '../../data/pictures/rejected.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { textEncoder } from '../../data/text/tokenizer.js'
import { openEngine } from '../../engine/index.js'
import { inPrecision } from '../../engine/precision.js'
import { encoderShape } from '../../models/encoder.js'
import { judgedSection, recallSection } from '../../report/index.js'
import { prefixed } from '../../report/variants.js'
import { train } from '../../train/loop.js'
import type { Run } from '../../train/run.js'
import { decoding, tellPictures } from '../shared/decoding.js'
import { showPairs } from './gallery.js'
import { categoryPrompts, collapsedViews, recallPlaces } from './judge.js'
import { splitItems } from './split.js'
import { type OpenModel, PretrainTask } from './task.js'

export async function pretrain(config: PretrainConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const { data } = config
  const db = await Database.open()
  const items = await loadItems(db, findTable(data.root, data.items), data.columns)
  const model = await openModel(config, items, run)
  const shape = encoderShape(model)
  const encoder = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const options = pictureOptions(data, shape.config.vision.imageSize, model.preprocessing.fit)
  const catalogue = await decoding(run, 'pictures', items.count, (progress) =>
    prepareCatalogue(items, encoder, options, progress),
  )
  const { rejected } = catalogue.pictures
  tellPictures(run, 'pictures', catalogue.pictures, 'rejected.parquet')
  await writeRejected(db, items.numbers, rejected, run.path('rejected.parquet'))
  db.close()
  const split = splitItems(catalogue, config)
  run.say(`items: ${items.count}, of which ${split.train.length} train and ${split.heldOut.length} are held out`)

  const say = (line: string) => run.say(line)
  const engine = await inPrecision(await openEngine(config, say), config.precision, run.path('precision.json'), say)
  const task = new PretrainTask(engine, catalogue, split, model, shape, config)
  const { stepsPerEpoch } = task
  const { epochs } = config.train
  const steps = epochs === 0 ? 0 : Math.max(1, Math.round(stepsPerEpoch * epochs))
  const { modalities } = split
  // A text tower that nothing has taught what texts show knows no categories.
  const readsPrompts = modalities === 'both' || (modalities === 'image' && config.init !== null)
  const prompts = readsPrompts ? categoryPrompts(items, data.columns.category, config.evaluation.prompt) : []
  const evaluated = await task.evaluate()
  const before = { ...evaluated, ...(await task.judge(prompts)) }
  const {
    best,
    bestStep,
    steps: done,
    stopped,
  } = await train(
    task,
    {
      ...config.train,
      steps,
      evaluateEvery: config.train.evaluateEvery || stepsPerEpoch * Math.ceil(config.train.epochs / 10),
      monitor: config.train.monitor ?? (split.modalities === 'both' ? 'image_to_title_recall_10' : 'view_mrr'),
      metrics: Object.keys(evaluated),
    },
    run,
  )
  task.loadModel(run.path('checkpoint'))
  const after = { ...best, ...(await task.judge(prompts)) }
  const collapsed = collapsedViews(after)
  if (collapsed.length > 0) {
    const remedy = 'try a lower learning rate, a larger batch or more epochs'
    run.say(`warning: the vectors of ${collapsed.join(' and ')} have collapsed: all items are alike; ${remedy}`)
  }
  await run.show(() => recallSection(recallTasks(before, after)))
  await run.show(() => judgedSection(before, after, collapsed))
  if (split.modalities === 'both') {
    await run.show(async () => showPairs(items, data, split.heldOut, await task.heldOutVectors()))
  }
  await task.close()
  return {
    ...prefixed('before', before),
    ...prefixed('after', after),
    best_step: bestStep,
    steps: done,
    stopped,
    pairs_seen: done * config.train.batch,
    held_out: split.heldOut.length,
    broken: rejected.length,
    engine: engine.name,
    seconds: (Date.now() - started) / 1000,
  }
}

const tasks = [
  { name: 'image_to_title', title: 'Picture → title', hint: 'the title of the item, given its picture' },
  { name: 'title_to_image', title: 'Title → picture', hint: 'the picture of the item, given its title' },
  { name: 'image_to_item', title: 'Picture → item', hint: 'the whole item, given its picture alone' },
  { name: 'title_to_item', title: 'Title → item', hint: 'the whole item, given its title alone' },
  { name: 'view', title: 'View → item', hint: 'the item, given a crop of its picture or a part of its title' },
] as const

function recallTasks(before: Record<string, number>, after: Record<string, number>) {
  const judged = tasks.filter(({ name }) => `${name}_median_rank` in after)
  return judged.map(({ name, title, hint }) => {
    const recall = (metrics: Record<string, number>, k: number) => metrics[`${name}_recall_${k}`]
    return {
      title,
      hint,
      recalls: recallPlaces.map((k) => ({ k, before: recall(before, k), after: recall(after, k) })),
    }
  })
}

/** The model to start from: a checkpoint, or a new one whose tokenizer learns the titles. */
async function openModel(config: PretrainConfig, items: Items, run: Run): Promise<OpenModel> {
  const { init, adapt, model, fusion, matryoshka } = config
  const change = Object.entries(adapt).find(([, value]) => value !== null)
  if (!init && change) {
    const what = `adapt.${change[0]} ${change[1]}, but no model to adapt`
    throw new UserError({ id: 'adapt', what, remedy: 'give --init, or set its like under `model`' })
  }
  const opened: OpenModel = init ? await openInit(init, adapt, run) : newModel(model, items.titles)
  const width = opened.mim.fusion?.width ?? fusion.width
  const long = matryoshka.find((size) => size >= width)
  if (long !== undefined) {
    const what = `matryoshka ${long}`
    throw new UserError({ id: 'matryoshka-size', what, expected: `less than the ${width} of the content vector` })
  }
  const mim = { ...opened.mim, fusion: { width }, ...(matryoshka.length > 0 ? { matryoshka } : {}) }
  const source = { table: 'items', path: items.table.path, rows: items.count }
  return withProvenance({ ...opened, mim }, 'pretrain', config, [source])
}

async function openInit(init: string, adapt: Adaptation, { terminal }: Run): Promise<ModelFolder> {
  const model = await openCheckpoint(init, terminal)
  checkTowers(model)
  return adaptModel(model, adapt)
}
