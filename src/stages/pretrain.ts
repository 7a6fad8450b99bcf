/**
 * Stage 1: adapt an image-text model to the catalogue. Image and title of an item are each other's
 * positive; the fusion head learns that an item is the same when one of the two is missing.
 */
import { newModel } from '../checkpoint/create.js'
import {
  checkpointFolder,
  isOurs,
  type ModelFolder,
  openWeights,
  readModelFolder,
  writeModelFolder,
} from '../checkpoint/model.js'
import type { PretrainConfig } from '../config/pretrain.js'
import { type Catalogue, equalTitles, prepareCatalogue } from '../data/catalogue.js'
import { Database } from '../data/duckdb.js'
import { type Items, loadItems } from '../data/items.js'
import { EpochOrder, inParts } from '../data/order.js'
import { findTable } from '../data/table.js'
import { type TextEncoder, textEncoder } from '../data/tokenizer.js'
import { type Engine, openEngine, type Session, type Value } from '../engine/index.js'
import { initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { makeTraining, type Training } from '../engine/training.js'
import { UserError } from '../errors.js'
import { medianRank, ranksOfTargets, recallAtK } from '../metrics/index.js'
import { type EncoderShape, encoderPrograms, encoderShape } from '../models/encoder.js'
import { encoderGroups } from '../models/groups.js'
import { pretrainLoss } from '../models/pretrain.js'
import { Parameters } from '../nn/parameters.js'
import { Random } from '../random.js'
import { recallSection } from '../report/index.js'
import { type StepResult, type Trainee, train } from '../train/loop.js'
import type { Run } from '../train/run.js'
import { rateAt } from '../train/schedule.js'
import { encodeItems, type ItemVectors, Views } from './encoder.js'
import { showPairs } from './gallery.js'
import { prefixed } from './results.js'

export async function pretrain(config: PretrainConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const { data } = config
  const db = await Database.open()
  const items = await loadItems(db, findTable(data.root, data.items), data.columns)
  const model = openModel(config, items)
  const shape = encoderShape(model)
  const encoder = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const bar = run.terminal.bar('pictures', items.count)
  const catalogue = await prepareCatalogue(
    items,
    encoder,
    {
      size: shape.config.vision.imageSize,
      fit: model.preprocessing.fit,
      cache: data.cache,
      maxBad: data.maxBadImages,
      maxPixels: data.maxImagePixels,
    },
    (done) => bar.update(done),
  )
  bar.stop()
  db.close()
  const split = splitItems(catalogue, config)
  run.say(
    `items: ${items.count}, of which ${split.train.length} train and ${split.heldOut.length} are held out; ` +
      `${catalogue.pictures.rejected.length} broken pictures`,
  )

  const engine = await openEngine(config, (line) => run.say(line))
  const trainee = new PretrainTrainee(engine, catalogue, split, model, shape, encoder, config)
  const { stepsPerEpoch } = trainee.order
  const steps = Math.max(1, Math.round(stepsPerEpoch * config.train.epochs))
  const before = await trainee.evaluate()
  const {
    best,
    bestStep,
    steps: done,
  } = await train(
    trainee.plan(steps),
    {
      ...config.train,
      steps,
      evaluateEvery: config.train.evaluateEvery || stepsPerEpoch * Math.ceil(config.train.epochs / 10),
      saveEvery: config.train.saveEvery || Number.POSITIVE_INFINITY,
      monitor: 'image_to_title_recall_10',
      greaterIsBetter: true,
    },
    run,
  )
  trainee.loadModel(run.path('checkpoint'))
  await run.show(() => recallSection(recallTasks(before, best)))
  await run.show(() => showPairs(items, data, split.heldOut, trainee.heldOutVectors()))
  trainee.close()
  return {
    ...prefixed('before', before),
    ...prefixed('after', best),
    best_step: bestStep,
    steps: done,
    pairs_seen: done * config.train.batch,
    held_out: split.heldOut.length,
    engine: engine.name,
    seconds: (Date.now() - started) / 1000,
  }
}

const tasks = [
  { name: 'image_to_title', title: 'Picture → title', hint: 'the title of the item, given its picture' },
  { name: 'title_to_image', title: 'Title → picture', hint: 'the picture of the item, given its title' },
] as const
const ks = [1, 5, 10]

function recallTasks(before: Record<string, number>, after: Record<string, number>) {
  return tasks.map(({ name, title, hint }) => {
    const recall = (metrics: Record<string, number>, k: number) => metrics[`${name}_recall_${k}`]
    return { title, hint, recalls: ks.map((k) => ({ k, before: recall(before, k), after: recall(after, k) })) }
  })
}

type OpenModel = Omit<ModelFolder, 'path'> & { path?: string }

/** The model to start from: a checkpoint, or a new one whose tokenizer learns the titles. */
function openModel({ init, model, fusion }: PretrainConfig, items: Items): OpenModel {
  const opened: OpenModel = init ? readModelFolder(checkpointFolder(init)) : newModel(model, items.titles)
  return { ...opened, mim: { ...opened.mim, fusion: opened.mim.fusion ?? { width: fusion.width } } }
}

/** Items with both modalities, in a random order that is the same for every seed; the first ones are held out. */
function splitItems({ hasImage, hasText }: Catalogue, { train, evaluation }: PretrainConfig) {
  const complete = Int32Array.from(hasImage.keys()).filter((row) => hasImage[row] && hasText[row])
  Random.of('held out').shuffle(complete)
  const heldOut = Math.min(evaluation.items, Math.floor(complete.length / 5))
  if (complete.length - heldOut < train.batch || heldOut < 2) {
    throw new UserError({
      id: 'items-few',
      what: `${complete.length} items have both picture and title`,
      expected: `at least ${Math.max(10, Math.ceil((train.batch * 5) / 4))} for train.batch ${train.batch}`,
      remedy: 'give more items or lower train.batch',
    })
  }
  return { heldOut: complete.slice(0, heldOut), train: complete.slice(heldOut) }
}

type Split = ReturnType<typeof splitItems>

class PretrainTrainee implements Trainee {
  private readonly session: Session
  private readonly training: Training
  private readonly parameters: ReturnType<Parameters['list']>
  private readonly titleGroups: Int32Array
  private readonly views: Views
  readonly order: EpochOrder
  private steps = 0

  constructor(
    engine: Engine,
    private readonly catalogue: Catalogue,
    private readonly split: Split,
    private readonly model: OpenModel,
    private readonly shape: EncoderShape,
    text: TextEncoder,
    private readonly config: PretrainConfig,
  ) {
    this.views = new Views(model.preprocessing, text, shape.length, config.augment)
    this.order = new EpochOrder(split.train, config.train.batch, config.seed)
    const p = new Parameters()
    const { batch, accumulate } = config.train
    const loss = pretrainLoss(p, shape, batch / accumulate, config.fusion.weight)
    this.parameters = p.list()
    const names = this.parameters.map(({ name }) => name)
    this.training = makeTraining(loss, p, [], { ...config.train, group: encoderGroups(names, config.train) })
    const { programs, evaluated, state, scratch } = this.training
    this.session = engine.open({ ...programs, ...encoderPrograms(evaluated, shape) }, [...state, ...scratch])
    this.initialise()
    this.titleGroups = equalTitles(catalogue.items.titles)
  }

  /** Sets how many steps the learning rate's course spans. */
  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config } = this
    const waiting = performance.now()
    const parts = inParts(this.order.at(step), config.train.accumulate).map((rows, i) => ({
      inputs: this.inputs(rows, step * config.train.accumulate + i),
      rows: rows.length,
    }))
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const loss = this.training.step(this.session, parts, step, learningRate)
    return { loss, samples: config.train.batch, waited, learningRate }
  }

  /** What part `part` (counted through all steps) of the training learns from. */
  private inputs(rows: Int32Array, part: number): Record<string, Value> {
    const { catalogue, config, shape, views } = this
    const { size } = catalogue.pictures
    const random = Random.of(config.seed, 'views', part)
    const kept = secondViews(rows.length, config.fusion, random)
    const flags = (data: Float32Array) => ({ data, shape: [rows.length] })
    return {
      pixel_values: { data: views.pixels(catalogue.pictures, rows, random), shape: [rows.length, 3, size, size] },
      input_ids: { data: views.titles(catalogue, rows, random), shape: [rows.length, shape.length] },
      title_group: { data: rows.map((row) => this.titleGroups[row]), shape: [rows.length] },
      keep_image: flags(kept.image),
      keep_text: flags(kept.text),
    }
  }

  async evaluate(): Promise<Record<string, number>> {
    const { image, text } = this.heldOutVectors()
    const own = Int32Array.from(this.split.heldOut.keys())
    const metrics: Record<string, number> = {}
    for (const { name } of tasks) {
      const [from, to] = name === 'image_to_title' ? [image, text] : [text, image]
      const ranks = ranksOfTargets(from, to, this.shape.config.projection, own)
      for (const [i, recall] of recallAtK(ranks, ks).entries()) metrics[`${name}_recall_${ks[i]}`] = recall
      metrics[`${name}_median_rank`] = medianRank(ranks) + 1
    }
    return metrics
  }

  heldOutVectors(): ItemVectors {
    return encodeItems(this.session, this.catalogue, this.split.heldOut, this.shape, this.model.preprocessing)
  }

  saveState(folder: string): void {
    saveVariables(this.session, this.training.state, `${folder}/state.safetensors`)
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.training.state, `${folder}/state.safetensors`)
  }

  saveModel(folder: string): void {
    const { evaluated } = this.training
    writeModelFolder(folder, this.model, this.parameters, (name) => this.session.read(evaluated.prefix + name))
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  close(): void {
    this.session.dispose()
    this.catalogue.pictures.close()
  }

  loadModel(folder: string): void {
    const weights = openWeights(folder)
    for (const parameter of this.parameters) this.session.write(parameter.name, weights.read(parameter)!)
    weights.close()
  }

  /** From the checkpoint where it has the parameter, else from the seed. */
  private initialise(): void {
    const { path } = this.model
    const weights = path === undefined ? undefined : openWeights(path)
    for (const parameter of this.parameters) {
      const values = weights?.read(parameter)
      if (weights && !values && !isOurs(parameter.name)) throw missingTensor(path!, parameter.name)
      this.training.start(this.session, parameter.name, values ?? initialValues(parameter, this.config.seed))
    }
    weights?.close()
  }
}

function missingTensor(path: string, name: string): UserError {
  const remedy = 'use a complete checkpoint of the architecture in config.json'
  return new UserError({ id: 'tensor-missing', where: path, what: `tensor '${name}' is missing`, remedy })
}

/** Which rows show their picture and their title in the second view: 1 or 0; at least one of the two stays. */
function secondViews(rows: number, fusion: PretrainConfig['fusion'], random: Random) {
  const image = new Float32Array(rows).fill(1)
  const text = new Float32Array(rows).fill(1)
  for (let i = 0; i < rows; i++) {
    const u = random.uniform()
    if (u < fusion.dropText) text[i] = 0
    else if (u < fusion.dropText + fusion.dropImage) image[i] = 0
  }
  return { image, text }
}
