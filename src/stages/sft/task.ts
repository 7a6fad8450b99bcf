/** The training task of C-SFT: an encoder that learns from choices, and a momentum encoder that fills a queue. */
import { UserError } from '../../base/errors.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { writeModelFolder } from '../../checkpoint/model.js'
import { isOurs, openWeights, type Weights } from '../../checkpoint/weights.js'
import type { SftConfig } from '../../config/sft.js'
import type { Part } from '../../data/choices/log.js'
import { shareArrays } from '../../data/tables/sharedMemory.js'
import type { Engine, Value } from '../../engine/index.js'
import { initialValues } from '../../engine/state.js'
import { isPrinted } from '../../metrics/index.js'
import { type EncoderShape, encoderPrograms } from '../../models/encoder.js'
import { rowLayout, type SftSizes } from '../../models/sft/layout.js'
import { type ParameterSpec, Parameters } from '../../nn/parameters.js'
import { Prefetcher } from '../../train/prefetcher.js'
import { SessionTask } from '../../train/sessionTask.js'
import type { StepResult } from '../../train/task.js'
import { encodeItems, type ItemVectors } from '../shared/encode.js'
import { viewOptions } from '../shared/views.js'
import { type SftShared, shareSft } from './batch.js'
import { contentMetrics, findTargets } from './judge.js'
import type { SftData } from './load.js'
import { loadMined, mineNeighbors, saveMined } from './mining.js'
import { planBatches } from './plan.js'
import { type Judged, judgedPairs, recallMetrics, seenItems } from './recall.js'
import { momentumOf, type SftTraining, sftTraining } from './training.js'

/** Uses `data` without closing it. */
export class SftTask extends SessionTask<Record<string, Value>> {
  readonly stepsPerEpoch: number
  private readonly shared: SftShared
  private readonly sizes: SftSizes
  private readonly training: SftTraining
  /** Items that are the target of a training pair. */
  readonly seen: Set<number>

  /** @throws UserError `tensor-missing` if `weights` lack a parameter of a tower. */
  constructor(
    engine: Engine,
    private readonly data: SftData,
    private readonly model: ModelFolder,
    private readonly shape: EncoderShape,
    private readonly config: SftConfig,
    weights: Weights,
  ) {
    const plan = planBatches(data, config)
    const { sizes, stepsPerEpoch } = plan
    const shared = shareSft(data, plan, viewOptions(model, shape, config.augment), config)
    const training = sftTraining(new Parameters(), shape, sizes, config)
    const { evaluated, state, scratch, parameters } = training
    const encoder = encoderPrograms(evaluated, shape)
    const used = (['content', ...sizes.towers] as const).map((name) => [name, encoder[name]])
    const programs = { ...training.programs, ...Object.fromEntries(used) }
    const variables = [...state, ...scratch]
    super(engine, { programs, variables, state, parameters, prefix: evaluated.prefix }, openBatches(shared, config))
    this.seen = seenItems(data.positives)
    this.sizes = sizes
    this.stepsPerEpoch = stepsPerEpoch
    this.shared = shared
    this.training = training
    for (const parameter of parameters) {
      const values = firstValues(parameter, model, weights, config.seed)
      this.start(parameter.name, values, momentumOf(parameter.name))
    }
  }

  /** Finds new hard negatives every `negatives.mineEvery` steps. */
  async beforeStep(step: number): Promise<void> {
    const { mineEvery } = this.config.negatives
    if (mineEvery > 0 && step % mineEvery === 0) await this.mine(step)
  }

  step(inputs: Record<string, Value>, step: number, rate: number): StepResult {
    return { ...this.training.step(this.session, inputs, step, rate), samples: rowLayout(this.sizes).batch }
  }

  async evaluate(): Promise<Record<string, number>> {
    const { metrics } = await this.judge('valid')
    const shown = Object.entries(metrics).filter(([name]) => isPrinted(name))
    return Object.fromEntries(shown.map(([name, value]) => [`valid_${name}`, value]))
  }

  /**
   * Evaluates the pairs of a part: recall of the targets among all items, and how much content the vectors keep. `known`
   * are the vectors of all items, if they were computed before.
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

  /** Mines the hard negatives of the steps from `step` on. Drops batches that were made ahead without them. */
  private async mine(step: number): Promise<void> {
    const { data, config, shared } = this
    await this.batches.close()
    const count = data.catalogue.items.count
    const mined = await mineNeighbors(count, step, config, async (rows) => (await this.encode(rows)).content)
    shared.mined = shareArrays(mined)
    this.batches = openBatches(shared, config)
  }

  override saveState(folder: string): void {
    super.saveState(folder)
    const { mined } = this.shared
    if (mined) saveMined(folder, mined)
  }

  override loadState(folder: string): void {
    super.loadState(folder)
    const mined = loadMined(folder)
    if (mined) this.shared.mined = shareArrays(mined)
  }

  saveModel(folder: string): void {
    const { matryoshka } = this.config.levels
    const mim = { ...this.model.mim, ...(matryoshka.length > 0 ? { matryoshka } : {}) }
    writeModelFolder(folder, { ...this.model, mim }, this.training.parameters, this.value)
  }

  loadModel(folder: string): void {
    using weights = openWeights(folder)
    this.setParameters(weights)
  }
}

function openBatches(shared: SftShared, config: SftConfig): Prefetcher<Record<string, Value>> {
  return new Prefetcher(new URL('./batch.js', import.meta.url), shared, config.train)
}

/**
 * First values of a parameter: those of the checkpoint, or random ones by the seed if the parameter is one of mim's own
 * and the checkpoint lacks it.
 * @throws UserError `tensor-missing` if the checkpoint lacks another parameter.
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
