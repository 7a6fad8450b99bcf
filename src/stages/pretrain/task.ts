/** The training task of stage 1: towers and fusion head. */
import { Random } from '../../base/random.js'
import { adaptedWeights } from '../../checkpoint/adapt.js'
import type { Judgment } from '../../checkpoint/card.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { missingTensor, writeModelFolder } from '../../checkpoint/model.js'
import { isOurs, openWeights } from '../../checkpoint/weights.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import { type Catalogue, equalTitles, shareCatalogue } from '../../data/items/catalogue.js'
import { stepsPerEpoch } from '../../data/tables/epochOrder.js'
import { shareArray } from '../../data/tables/sharedMemory.js'
import { textEncoder } from '../../data/text/tokenizer.js'
import type { Engine, VariableSpec } from '../../engine/index.js'
import type { Part } from '../../engine/session.js'
import { initialValues } from '../../engine/state.js'
import type { Training } from '../../engine/training.js'
import { type EncoderShape, encoderPrograms } from '../../models/encoder.js'
import { frozenBy } from '../../models/freeze.js'
import { type ParameterSpec, Parameters } from '../../nn/parameters.js'
import { Prefetcher } from '../../train/prefetcher.js'
import { SessionTask } from '../../train/sessionTask.js'
import type { StepResult } from '../../train/task.js'
import { encodeContent, encodeImages, encodeItems, encodeTexts, type ItemVectors } from '../shared/encode.js'
import { type ViewOptions, viewOptions } from '../shared/views.js'
import { ItemViews, type PretrainBatches } from './batch.js'
import { judgeVectors, retrieval } from './judge.js'
import type { Split } from './split.js'
import { pretrainTraining } from './training.js'

/** A model to start from; new if it has no path. */
export type OpenModel = Omit<ModelFolder, 'path'> & { path?: string }

/** Trains on batches of items; evaluates on the held-out ones. */
export class PretrainTask extends SessionTask<Part> {
  private readonly training: Training
  private readonly parameters: readonly ParameterSpec[]
  private readonly views: ItemViews
  readonly stepsPerEpoch: number
  /** Metrics of the first evaluation and of the latest one. */
  private judgment: Judgment | undefined

  /** @throws UserError `tensor-missing` if the checkpoint lacks a parameter of a tower. */
  constructor(
    engine: Engine,
    private readonly catalogue: Catalogue,
    private readonly split: Split,
    private readonly model: OpenModel,
    private readonly shape: EncoderShape,
    private readonly config: PretrainConfig,
  ) {
    const views = viewOptions(model, shape, config.augment)
    const { training, setup } = taskSetup(shape, split, config)
    super(engine, setup, openBatches(catalogue, split, views, config))
    this.training = training
    this.parameters = setup.parameters
    this.views = new ItemViews(views, catalogue)
    this.stepsPerEpoch = stepsPerEpoch(split.train.length, config.train.batch)
    this.initialize()
  }

  step(batch: Part, step: number, rate: number): StepResult {
    return { loss: this.training.step(this.session, [batch], step, rate), samples: batch.rows }
  }

  async evaluate(): Promise<Record<string, number>> {
    const { image, text, content } = await this.heldOutVectors()
    const count = this.split.heldOut.length
    const metrics =
      this.split.modalities === 'both'
        ? { ...retrieval('image_to_title', image, text, count), ...retrieval('title_to_image', text, image, count) }
        : retrieval('view', await this.heldOutViews(), content, count)
    this.judgment = { before: this.judgment?.before ?? metrics, after: metrics }
    return metrics
  }

  /** Metrics of `judgeVectors` on the held-out items; `prompts` has a text for each category. */
  async judge(prompts: readonly string[]): Promise<Record<string, number>> {
    const { session, shape, split, catalogue } = this
    const { heldOut, modalities } = split
    const { image, text, content } = await this.heldOutVectors() // [N, d], [N, d], [N, width]
    const missing = new Float32Array(image.length)
    const [all, none] = [new Float32Array(heldOut.length).fill(1), new Float32Array(heldOut.length)]
    const vectors = {
      image,
      text,
      fused: content,
      fromImage: encodeContent(session, { image, text: missing }, all, none, shape),
      fromText: encodeContent(session, { image: missing, text }, none, all, shape),
      prompts: await this.promptVectors(prompts),
    }
    const category = heldOut.map((row) => catalogue.items.category[row])
    return judgeVectors(vectors, category, modalities)
  }

  private async promptVectors(prompts: readonly string[]): Promise<Float32Array | undefined> {
    if (prompts.length === 0) return undefined
    const { session, shape, model } = this
    const encoder = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
    const rows = Int32Array.from(prompts.keys())
    const known = new Uint8Array(prompts.length).fill(1)
    return encodeTexts(session, rows, shape, known, (part) => ({
      data: encoder.encode(Array.from(part, (row) => prompts[row])),
      shape: [part.length, shape.length],
    }))
  }

  /** Content vectors [held out, width] of one augmented view of each item, the same views at every evaluation. */
  private async heldOutViews(): Promise<Float32Array> {
    const { session, shape, split } = this
    const { heldOut, modalities } = split
    const { hasImage, hasText } = this.catalogue
    const random = Random.of('held-out views')
    const missing = new Float32Array(heldOut.length * shape.config.projection)
    const [all, none] = [new Float32Array(heldOut.length).fill(1), new Float32Array(heldOut.length)]
    if (modalities === 'image') {
      const image = await encodeImages(session, heldOut, shape, hasImage, (rows) => this.views.pictures(rows, random))
      return encodeContent(session, { image, text: missing }, all, none, shape)
    }
    const text = await encodeTexts(session, heldOut, shape, hasText, (rows) => this.views.titles(rows, random))
    return encodeContent(session, { image: missing, text }, none, all, shape)
  }

  heldOutVectors(): Promise<ItemVectors> {
    return encodeItems(this.session, this.catalogue, this.split.heldOut, this.shape, this.model.preprocessing)
  }

  saveModel(folder: string): void {
    writeModelFolder(folder, this.model, this.parameters, this.value, this.judgment)
  }

  loadModel(folder: string): void {
    using weights = openWeights(folder)
    this.setParameters(weights)
  }

  /** Takes each parameter from the checkpoint if it has it, else from the seed. */
  private initialize(): void {
    const { path } = this.model
    const fresh = (parameter: ParameterSpec) => initialValues(parameter, this.config.seed)
    using weights = path === undefined ? undefined : adaptedWeights(openWeights(path), fresh)
    for (const parameter of this.parameters) {
      const values = weights?.read(parameter)
      if (weights && !values && !isOurs(parameter.name)) throw missingTensor(path!, parameter.name)
      this.start(parameter.name, values ?? fresh(parameter))
    }
  }
}

/** Programs and variables of the training and of the encoder that evaluates it. */
function taskSetup(shape: EncoderShape, { modalities }: Split, config: PretrainConfig) {
  const p = Parameters.frozenWhere(frozenBy(config.freeze, shape.config, config.adapt.projection !== null))
  const training = pretrainTraining(p, shape, modalities, config)
  const { programs, evaluated, state, scratch } = training
  const encoder = encoderPrograms(evaluated, shape)
  const { prefix } = evaluated
  const read = [...p.list(), ...evaluated.list()]
  // Where averages are kept, a parameter that both the loss and the encoder read occurs twice.
  const plain = read.map((spec) => (p.has(spec.name) ? spec : { ...spec, name: spec.name.slice(prefix.length) }))
  const parameters: ParameterSpec[] = [...new Map(plain.map((spec) => [spec.name, spec])).values()]
  // No step changes these: frozen parameters, and the tower of a modality that the catalogue lacks.
  const trained = new Set(state.map(({ name }) => name))
  const fixed = new Map(read.filter(({ name }) => !trained.has(name)).map(({ name, shape }) => [name, shape]))
  const constants = [...fixed].map(([name, shape]): VariableSpec => ({ name, shape, dtype: 'float32' }))
  const variables = [...state, ...constants, ...scratch]
  return { training, setup: { programs: { ...programs, ...encoder }, variables, state, parameters, prefix } }
}

function openBatches(catalogue: Catalogue, split: Split, views: ViewOptions, config: PretrainConfig): Prefetcher<Part> {
  const shared: PretrainBatches = {
    catalogue: shareCatalogue(catalogue),
    titleGroups: shareArray(equalTitles(catalogue.items.titles)),
    pictureGroups: shareArray(catalogue.pictures.groups()),
    train: shareArray(split.train),
    modalities: split.modalities,
    views,
    fusion: config.fusion,
    batch: config.train.batch,
    seed: config.seed,
  }
  return new Prefetcher(new URL('./batch.js', import.meta.url), shared, config.train)
}
