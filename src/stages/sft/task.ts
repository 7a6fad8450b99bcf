/** What C-SFT trains: the encoder against pools of negatives, with a momentum encoder that fills a queue. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { writeModelFolder } from '../../checkpoint/model.js'
import { isOurs, type Weights } from '../../checkpoint/weights.js'
import type { SftConfig } from '../../config/sft.js'
import type { ItemLists } from '../../data/choices/itemLists.js'
import type { Part } from '../../data/choices/log.js'
import { shareArrays } from '../../data/tables/sharedMemory.js'
import type { Engine, Session, Value } from '../../engine/index.js'
import { initialValues, loadVariables, saveVariables } from '../../engine/state.js'
import { type EncoderShape, encoderPrograms } from '../../models/encoder.js'
import { batchOf, type SftSizes } from '../../models/sft.js'
import { type ParameterSpec, Parameters } from '../../nn/parameters.js'
import { Prefetcher } from '../../train/prefetcher.js'
import { rateAt } from '../../train/schedule.js'
import type { StepResult, TrainingTask } from '../../train/task.js'
import { encodeItems, type ItemVectors } from '../shared/encode.js'
import { viewOptions } from '../shared/views.js'
import { planBatches, type SftShared, shareSft } from './batch.js'
import { contentMetrics, findTargets } from './judge.js'
import type { SftData } from './load.js'
import { mineNeighbors } from './mining.js'
import { type Judged, judgedPairs, recallMetrics, seenItems, told } from './recall.js'
import { momentumOf, type SftTraining, sftTraining } from './training.js'

/** Mined neighbors, in the folder of the last state. */
const minedFile = 'mined.json'

export class SftTask implements TrainingTask {
  readonly stepsPerEpoch: number
  private readonly shared: SftShared
  private batches: Prefetcher<Record<string, Value>>
  private readonly sizes: SftSizes
  private readonly session: Session
  private readonly training: SftTraining
  /** Items that a pair of the training part ends in. */
  readonly seen: Set<number>
  private steps = 0

  constructor(
    engine: Engine,
    private readonly data: SftData,
    private readonly model: ModelFolder,
    private readonly shape: EncoderShape,
    private readonly config: SftConfig,
    weights: Weights,
  ) {
    this.seen = seenItems(data.positives)
    const plan = planBatches(data, config)
    const { sizes, stepsPerEpoch } = plan
    this.sizes = sizes
    this.stepsPerEpoch = stepsPerEpoch
    this.shared = shareSft(data, plan, viewOptions(model, shape, config.augment), config)
    this.batches = this.openBatches()
    this.training = sftTraining(new Parameters(), shape, sizes, config)
    const { programs, evaluated, state, scratch } = this.training
    const encoder = encoderPrograms(evaluated, shape)
    const used = (['content', ...sizes.towers] as const).map((name) => [name, encoder[name]])
    this.session = engine.open({ ...programs, ...Object.fromEntries(used) }, [...state, ...scratch])
    this.initialize(weights)
  }

  /** Sets how many steps the learning rate's course spans. */
  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config } = this
    const { mineEvery } = config.negatives
    if (mineEvery > 0 && step % mineEvery === 0) await this.mine(step)
    const waiting = performance.now()
    const inputs = await this.batches.at(step)
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const { loss, named } = this.training.step(this.session, inputs, step, learningRate)
    return { loss, named, samples: batchOf(this.sizes), waited, learningRate }
  }

  async evaluate(): Promise<Record<string, number>> {
    const { metrics } = await this.judge('valid')
    const shown = Object.entries(metrics).filter(([name]) => told.test(name))
    return Object.fromEntries(shown.map(([name, value]) => [`valid_${name}`, value]))
  }

  /**
   * Recall of the chosen item among all items, given what the user asked with, for the events of one part; and what
   * has become of content. `known` are the vectors of all items, where they are known.
   */
  async judge(part: Part, known?: ItemVectors): Promise<{ metrics: Record<string, number>; judged: Judged[] }> {
    const { data, session, shape, config } = this
    const vectors = known ?? (await this.encode())
    const { queries } = config.evaluation
    const encoder = { session, shape, preprocessing: this.model.preprocessing }
    const judged = await findTargets(encoder, data, judgedPairs(data.positives, part, queries), vectors.content)
    const content = contentMetrics(vectors, data.catalogue, shape, queries)
    return { metrics: { ...recallMetrics(judged, this.seen), ...content }, judged }
  }

  /** Vectors of all items, or of `rows`. */
  private encode(rows: Int32Array = Int32Array.from(this.data.catalogue.hasImage.keys())): Promise<ItemVectors> {
    const { data, session, shape, model } = this
    return encodeItems(session, data.catalogue, rows, shape, model.preprocessing)
  }

  private openBatches(): Prefetcher<Record<string, Value>> {
    return new Prefetcher(new URL('./batch.js', import.meta.url), this.shared, this.config.train)
  }

  /** Finds the hard negatives of the steps from `step` on; batches made ahead without them are dropped. */
  private async mine(step: number): Promise<void> {
    const { data, config, shared } = this
    await this.batches.close()
    const count = data.catalogue.items.count
    const mined = await mineNeighbors(count, step, config, async (rows) => (await this.encode(rows)).content)
    shared.mined = shareArrays(mined)
    this.batches = this.openBatches()
  }

  saveState(folder: string): void {
    saveVariables(this.session, this.training.state, join(folder, 'state.safetensors'))
    const { mined } = this.shared
    if (mined) {
      const lists = { items: Array.from(mined.items), offsets: Array.from(mined.offsets) }
      writeFileSync(join(folder, minedFile), JSON.stringify(lists))
    }
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.training.state, join(folder, 'state.safetensors'))
    if (!existsSync(join(folder, minedFile))) return
    const lists = JSON.parse(readFileSync(join(folder, minedFile), 'utf8')) as Record<keyof ItemLists, number[]>
    const { items, offsets } = lists
    this.shared.mined = shareArrays({ items: Int32Array.from(items), offsets: Int32Array.from(offsets) })
  }

  saveModel(folder: string): void {
    const { evaluated } = this.training
    const { matryoshka } = this.config.levels
    const mim = { ...this.model.mim, ...(matryoshka.length > 0 ? { matryoshka } : {}) }
    const model = { ...this.model, mim }
    writeModelFolder(folder, model, this.training.parameters, (name) => this.session.read(evaluated.prefix + name))
  }

  loadModel(weights: Weights): void {
    const { prefix } = this.training.evaluated
    for (const parameter of this.training.parameters)
      this.session.write(prefix + parameter.name, weights.read(parameter)!)
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  async close(): Promise<void> {
    await this.batches.close()
    this.session.dispose()
    this.data.catalogue.pictures.close()
    this.data.queries.pictures.close()
  }

  /** The momentum encoder starts where the encoder does. */
  private initialize(weights: Weights): void {
    for (const parameter of this.training.parameters) {
      const first = firstValues(parameter, this.model, weights, this.config.seed)
      this.training.start(this.session, parameter.name, first)
      const momentumEncoder = momentumOf(parameter.name)
      if (this.training.state.some(({ name }) => name === momentumEncoder)) this.session.write(momentumEncoder, first)
    }
  }
}

/**
 * What a parameter starts from: the checkpoint where it has it, else the seed.
 * @throws UserError `tensor-missing` where a checkpoint lacks what is not ours.
 */
export function firstValues(
  parameter: ParameterSpec,
  model: ModelFolder,
  weights: Weights,
  seed: number,
): Float32Array {
  const values = weights.read(parameter)
  if (values) return values
  if (isOurs(parameter.name)) return initialValues(parameter, seed)
  throw new UserError({ id: 'tensor-missing', where: model.path, what: `tensor '${parameter.name}' is missing` })
}
