/** What is trained in stage 1: the towers and the fusion head. */
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
import type { Engine, Session, VariableSpec } from '../../engine/index.js'
import type { Part } from '../../engine/session.js'
import { initialValues, loadVariables, saveVariables } from '../../engine/state.js'
import type { Training } from '../../engine/training.js'
import { type EncoderShape, encoderPrograms } from '../../models/encoder.js'
import { frozenBy } from '../../models/freeze.js'
import { type ParameterSpec, Parameters } from '../../nn/parameters.js'
import { Prefetcher } from '../../train/prefetcher.js'
import { rateAt } from '../../train/schedule.js'
import type { StepResult, TrainingTask } from '../../train/task.js'
import { encodeContent, encodeImages, encodeItems, encodeTexts, type ItemVectors } from '../shared/encode.js'
import { viewOptions } from '../shared/views.js'
import { ItemViews, type PretrainBatches } from './batch.js'
import { judgeVectors, retrieval } from './judge.js'
import type { Split } from './split.js'
import { pretrainTraining } from './training.js'

/** A model to start from: one without a path is new. */
export type OpenModel = Omit<ModelFolder, 'path'> & { path?: string }

export class PretrainTask implements TrainingTask {
  private readonly session: Session
  private readonly training: Training
  /** Those of the loss and of the encoder. */
  private readonly parameters: readonly ParameterSpec[]
  /** Variables that no step changes: what is frozen, and a tower whose modality the catalogue lacks. */
  private readonly fixed: readonly VariableSpec[]
  private readonly views: ItemViews
  private readonly batches: Prefetcher<Part>
  readonly stepsPerEpoch: number
  /** What the first evaluation found, and the latest. */
  private judgment: Judgment | undefined
  private steps = 0

  constructor(
    engine: Engine,
    private readonly catalogue: Catalogue,
    private readonly split: Split,
    private readonly model: OpenModel,
    private readonly shape: EncoderShape,
    private readonly config: PretrainConfig,
  ) {
    const options = viewOptions(model, shape, config.augment)
    this.views = new ItemViews(options, catalogue)
    const { batch } = config.train
    this.stepsPerEpoch = stepsPerEpoch(split.train.length, batch)
    const shared: PretrainBatches = {
      catalogue: shareCatalogue(catalogue),
      titleGroups: shareArray(equalTitles(catalogue.items.titles)),
      pictureGroups: shareArray(catalogue.pictures.groups()),
      train: shareArray(split.train),
      modalities: split.modalities,
      views: options,
      fusion: config.fusion,
      batch,
      seed: config.seed,
    }
    this.batches = new Prefetcher(new URL('./batch.js', import.meta.url), shared, config.train)
    const p = Parameters.frozenWhere(frozenBy(config.freeze, shape.config, config.adapt.projection !== null))
    this.training = pretrainTraining(p, shape, split.modalities, config)
    const { programs, evaluated, state, scratch } = this.training
    const encoder = encoderPrograms(evaluated, shape)
    const read = [...p.list(), ...evaluated.list()]
    // What a loss reads and the encoder too is there twice where averages are evaluated.
    const { length } = evaluated.prefix
    const plain = read.map((spec) => (p.has(spec.name) ? spec : { ...spec, name: spec.name.slice(length) }))
    this.parameters = [...new Map(plain.map((spec) => [spec.name, spec])).values()]
    const changing = new Set(state.map(({ name }) => name))
    const fixed = new Map(read.filter(({ name }) => !changing.has(name)).map(({ name, shape }) => [name, shape]))
    this.fixed = [...fixed].map(([name, shape]): VariableSpec => ({ name, shape, dtype: 'float32' }))
    this.session = engine.open({ ...programs, ...encoder }, [...state, ...this.fixed, ...scratch])
    this.initialize()
  }

  /** Sets how many steps the learning rate's course spans. */
  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config } = this
    const waiting = performance.now()
    const part = await this.batches.at(step)
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const loss = this.training.step(this.session, [part], step, learningRate)
    return { loss, samples: config.train.batch, waited, learningRate }
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

  /** What `judgeVectors` tells of the held-out items; `prompts` are texts for each category. */
  async judge(prompts: readonly string[]): Promise<Record<string, number>> {
    const { session, shape, split, catalogue } = this
    const { heldOut, modalities } = split
    const { image, text, content } = await this.heldOutVectors()
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

  /** Content vectors of one changed view of each held-out item, the same ones at every evaluation. */
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

  saveState(folder: string): void {
    saveVariables(this.session, this.training.state, `${folder}/state.safetensors`)
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.training.state, `${folder}/state.safetensors`)
  }

  saveModel(folder: string): void {
    const { evaluated } = this.training
    const value = (name: string) => this.session.read(evaluated.prefix + name)
    writeModelFolder(folder, this.model, this.parameters, value, this.judgment)
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  async close(): Promise<void> {
    await this.batches.close()
    this.session.dispose()
    this.catalogue.pictures.close()
  }

  loadModel(folder: string): void {
    const weights = openWeights(folder)
    const { prefix } = this.training.evaluated
    for (const parameter of this.parameters) this.session.write(prefix + parameter.name, weights.read(parameter)!)
    weights.close()
  }

  /** From the checkpoint where it has the parameter, else from the seed. */
  private initialize(): void {
    const { path } = this.model
    const fresh = (parameter: ParameterSpec) => initialValues(parameter, this.config.seed)
    const weights = path === undefined ? undefined : adaptedWeights(openWeights(path), fresh)
    const { state, evaluated } = this.training
    const variables = new Set([...state, ...this.fixed].map(({ name }) => name))
    for (const parameter of this.parameters) {
      const { name } = parameter
      const values = weights?.read(parameter)
      if (weights && !values && !isOurs(name)) throw missingTensor(path!, name)
      const first = values ?? fresh(parameter)
      for (const variable of new Set([name, evaluated.prefix + name])) {
        if (variables.has(variable)) this.session.write(variable, first)
      }
    }
    weights?.close()
  }
}
