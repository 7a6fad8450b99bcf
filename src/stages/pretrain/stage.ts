/**
 * Stage 1: contrastive pretraining of an image-text model on the catalogue. Picture and title of an item are a positive
 * pair; the fusion head learns the same content vector if one of the two is missing. If no item has both, two views of
 * its picture or of its title are the positive pair.
 */
import { UserError } from '../../base/errors.js'
import { Resources } from '../../base/resources.js'
import { type Adaptation, adaptModel } from '../../checkpoint/adapt.js'
import { newModel } from '../../checkpoint/create.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { openCheckpoint } from '../../checkpoint/hub.js'
import { checkTowers } from '../../checkpoint/model.js'
import { withProvenance } from '../../checkpoint/provenance.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import { DataFacts } from '../../data/facts.js'
import { noteModalities, prepareCatalogue } from '../../data/items/catalogue.js'
import { type Items, loadItems } from '../../data/items/items.js'
import { pictureOptions } from '../../data/pictures/prepare.js'
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
import type { LoopOptions } from '../../train/task.js'
import { decoding, rejectedList, tellPictures } from '../shared/decoding.js'
import { revisionOf } from '../shared/inputs.js'
import { requireEncoderMemory } from '../shared/memory.js'
import { showPairs } from './gallery.js'
import { categoryPrompts, collapsedViews, recallPlaces } from './judge.js'
import { type Split, splitItems } from './split.js'
import { type OpenModel, PretrainTask } from './task.js'

/**
 * Trains the towers and the fusion head, and evaluates them on held-out items before and after.
 * Returns the metrics of the run.
 * @throws UserError `adapt`, `matryoshka-size`, and what loading, splitting and training throw.
 */
export async function pretrain(config: PretrainConfig, run: Run): Promise<Record<string, unknown>> {
  const { items, model, catalogue } = await load(config, run)
  using pictures = catalogue.pictures
  const split = splitItems(catalogue, config)
  run.say(`items: ${items.count}, of which ${split.train.length} train and ${split.heldOut.length} are held out`)

  const say = (line: string) => run.say(line)
  const engine = await inPrecision(await openEngine(config, say), config.precision, run.path('precision.json'), say)
  await using task = new PretrainTask(engine, catalogue, split, model, encoderShape(model), config)
  const prompts = promptsOf(items, split, config)
  const evaluated = await task.evaluate()
  const before = { ...evaluated, ...(await task.judge(prompts)) }
  const options = loopOptions(config, split, task.stepsPerEpoch)
  const result = await train(task, { ...options, metrics: Object.keys(evaluated) }, run)
  task.loadModel(run.path('checkpoint'))
  const after = { ...result.best, ...(await task.judge(prompts)) }
  await report(before, after, run)
  if (split.modalities === 'both') {
    await run.show(async () => showPairs(items, config.data, split.heldOut, await task.heldOutVectors()))
  }
  return {
    ...prefixed('before', before),
    ...prefixed('after', after),
    best_step: result.bestStep,
    steps: result.steps,
    stopped: result.stopped,
    pairs_seen: result.steps * config.train.batch,
    held_out: split.heldOut.length,
    broken: pictures.rejected.length,
    engine: engine.name,
    seconds: run.seconds,
  }
}

/** Reads the items, opens the model to start from, and decodes the pictures for it. The caller closes the pictures. */
async function load(config: PretrainConfig, run: Run) {
  const { data } = config
  using db = await Database.open()
  const facts = new DataFacts()
  const items = await loadItems(db, findTable(data.root, data.items), data.columns, facts)
  const model = await openModel(config, items, run)
  const shape = encoderShape(model)
  const { vision, text } = config.freeze
  const isFrozen = vision !== 'none' || text !== 'none'
  const hasPictures = items.table.columns.has(data.columns.image)
  requireEncoderMemory(shape, config, { isFrozen, hasPictures })
  const encoder = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const list = rejectedList(run)
  const fitting = pictureOptions(data, shape.config.vision.imageSize, model.preprocessing.fit, list)
  const options = { ...fitting, say: (line: string) => run.say(line) }
  using opened = new Resources()
  const catalogue = await decoding(run, 'pictures', items.count, (progress) =>
    prepareCatalogue(items, encoder, options, progress),
  )
  opened.use(catalogue.pictures)
  await run.checkInput('pictures', catalogue.pictures.print)
  noteModalities(catalogue, facts)
  run.tell(facts)
  tellPictures(run, 'pictures', catalogue.pictures, { where: items.pictures.where, list })
  opened.release()
  return { items, model, catalogue }
}

/** Texts that describe the categories, for zero-shot classification; none if the text tower does not know pictures. */
function promptsOf(items: Items, { modalities }: Split, { data, evaluation, init }: PretrainConfig): string[] {
  const readsPictures = modalities === 'both' || (modalities === 'image' && init !== null)
  return readsPictures ? categoryPrompts(items, data.columns.category, evaluation.prompt) : []
}

function loopOptions({ train }: PretrainConfig, { modalities }: Split, stepsPerEpoch: number): LoopOptions {
  const { epochs } = train
  return {
    ...train,
    steps: epochs === 0 ? 0 : Math.max(1, Math.round(stepsPerEpoch * epochs)),
    // About ten evaluations, each at the end of an epoch.
    evaluateEvery: train.evaluateEvery || stepsPerEpoch * Math.max(1, Math.ceil(epochs / 10)),
    monitor: train.monitor ?? (modalities === 'both' ? 'image_to_title_recall_10' : 'view_mrr'),
  }
}

/** Adds the metrics before and after training to the report, and warns of vectors that have collapsed. */
async function report(before: Record<string, number>, after: Record<string, number>, run: Run): Promise<void> {
  const collapsed = collapsedViews(after)
  if (collapsed.length > 0) {
    run.warn({
      id: 'collapse',
      what: `the vectors of ${collapsed.join(' and ')} have collapsed: they are nearly equal for all items`,
      remedy: 'try a lower learning rate, a larger batch or more epochs',
    })
  }
  await run.show(() => recallSection(recallTasks(before, after)))
  await run.show(() => judgedSection(before, after, collapsed))
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

/** The model to start from: a checkpoint, or a new model with a tokenizer trained on the titles. */
async function openModel(config: PretrainConfig, items: Items, run: Run): Promise<OpenModel> {
  const { init, adapt, model, fusion, matryoshka } = config
  const change = Object.entries(adapt).find(([, value]) => value !== null)
  if (!init && change) {
    const what = `adapt.${change[0]} is ${change[1]}, but there is no model to adapt`
    throw new UserError({ id: 'adapt', what, remedy: 'give --init, or set the same option under `model`' })
  }
  const opened: OpenModel = init ? await openInit(init, adapt, run) : newModel(model, items.titles)
  const width = opened.mim.fusion?.width ?? fusion.width
  const long = matryoshka.find((size) => size >= width)
  if (long !== undefined) {
    const what = `matryoshka ${long}`
    throw new UserError({ id: 'matryoshka-size', what, expected: `less than the ${width} of the content vector` })
  }
  if (init && !opened.mim.fusion) run.say('the checkpoint has no fusion head: a new one is trained')
  const mim = { ...opened.mim, fusion: { width }, ...(matryoshka.length > 0 ? { matryoshka } : {}) }
  const source = { table: 'items', path: items.table.path, rows: items.count }
  return withProvenance({ ...opened, mim }, 'pretrain', config, [source])
}

async function openInit(init: string, adapt: Adaptation, run: Run): Promise<ModelFolder> {
  const model = await openCheckpoint(init, run.terminal, (warning) => run.warn(warning))
  await run.checkInput('init', revisionOf(init, model))
  checkTowers(model)
  return adaptModel(model, adapt)
}
