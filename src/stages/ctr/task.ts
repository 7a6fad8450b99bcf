/** The training task of a click model: its steps, evaluation and checkpoint. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CtrConfig } from '../../config/ctr.js'
import { ctrColumns } from '../../data/clicks/columns.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import type { Column, RowRange } from '../../data/tables/column.js'
import { keptRows, stepsPerEpoch } from '../../data/tables/epochOrder.js'
import { shareArrays } from '../../data/tables/sharedMemory.js'
import type { Engine, Session } from '../../engine/index.js'
import type { Part } from '../../engine/session.js'
import { initializeTable, initialValues, loadVariables, saveVariables } from '../../engine/state.js'
import { auc, gauc, logLoss } from '../../metrics/index.js'
import { contentTable, mixVariable, searchOf } from '../../models/ctr/index.js'
import { Prefetcher } from '../../train/prefetcher.js'
import { SessionTask } from '../../train/sessionTask.js'
import type { StepResult } from '../../train/task.js'
import { type CtrBatches, ctrBatch, ctrFeatures } from './batch.js'
import { type CtrPrograms, ctrPrograms, makePrefix } from './programs.js'

/** Impressions scored at a time. */
const scoring = 4096

/** Metrics of every evaluation, on the validation part. */
export const validMetrics = ['valid_auc', 'valid_gauc', 'valid_logloss']

export class CtrTask extends SessionTask<Part[]> {
  readonly stepsPerEpoch: number
  private readonly made: CtrPrograms
  /** MAKE: steps at the start in which only the content branch is trained. */
  private readonly makeSteps: number

  constructor(
    engine: Engine,
    private readonly data: CtrDataset,
    private readonly config: CtrConfig,
  ) {
    const { train } = config
    const rows = keptRows(data.split.train, data.impressions.label, train.negatives, config.seed, data.store)
    const batch = Math.min(train.batch, rows.length)
    const made = ctrPrograms(ctrFeatures(data), config)
    const { programs, parameters, training, stateVariables: state, allVariables: variables } = made
    const { prefix } = training.evaluated
    super(engine, { programs, variables, state, parameters, prefix }, openBatches(data, rows, batch, config))
    this.made = made
    this.stepsPerEpoch = stepsPerEpoch(rows.length, batch)
    this.makeSteps = made.make ? Math.round(this.stepsPerEpoch * train.makeEpochs) : 0
    this.initialize()
  }

  /** Steps of all epochs, including those of the content branch alone. */
  get allSteps(): number {
    return this.makeSteps + Math.max(1, Math.round(this.stepsPerEpoch * this.config.train.epochs))
  }

  step(parts: Part[], step: number, rate: number): StepResult {
    const samples = parts.reduce((n, { rows }) => n + rows, 0)
    return { loss: this.trainStep(parts, step, rate), samples }
  }

  private trainStep(parts: Part[], step: number, rate: number): number {
    const { session, made, makeSteps } = this
    if (made.make && step < makeSteps) return made.make.step(prefixed(session, makePrefix), parts, step, rate)
    // Where both branches train together the optimizer starts at step 0 again, because ids have no past.
    return made.training.step(session, parts, step - makeSteps, rate)
  }

  async evaluate(): Promise<Record<string, number>> {
    const { valid } = this.data.split
    const labels = this.data.impressions.label.read(valid.from, valid.to)
    const users = this.data.impressions.user.read(valid.from, valid.to)
    const mix = this.made.isMixed ? this.chooseMix(valid, labels) : {}
    const scores = this.predict(valid)
    return {
      valid_auc: auc(labels, scores),
      valid_gauc: gauc(labels, scores, users).gauc,
      valid_logloss: logLoss(labels, scores),
      ...mix,
    }
  }

  /** Sets the share of the id branch to the one with the highest AUC, in steps of 0.05. */
  private chooseMix(rows: RowRange, labels: Uint8Array): { id_share: number } {
    const [ids, content] = this.logits(rows)
    let best = { share: 0, auc: Number.NEGATIVE_INFINITY }
    for (let share = 0; share <= 20; share++) {
      const mixed = content.map((logit, i) => logit + (ids[i] - logit) * (share / 20))
      const reached = auc(labels, mixed)
      if (reached > best.auc) best = { share: share / 20, auc: reached }
    }
    this.session.write(mixVariable, Float32Array.of(best.share))
    return { id_share: best.share }
  }

  /** Click probabilities of a range of impressions. */
  predict(rows: RowRange): Float32Array {
    return this.score(rows, 'predict', ['probability'])[0]
  }

  /** Logits of each branch for a range of impressions. */
  logits(rows: RowRange): Float32Array[] {
    return this.score(
      rows,
      'branches',
      Array.from({ length: this.made.branches }, (_, i) => `${i}`),
    )
  }

  /** The `outputs` of a program for a range of impressions. */
  private score({ from, to }: RowRange, name: string, outputs: string[]): Float32Array[] {
    const scores = outputs.map(() => new Float32Array(to - from))
    for (let start = from; start < to; start += scoring) {
      const rows = Int32Array.from({ length: Math.min(scoring, to - start) }, (_, i) => start + i)
      const result = this.session.run(name, ctrBatch(this.data, rows, searchOf(this.config.model)))
      for (const [i, output] of outputs.entries()) scores[i].set(result[output].data, start - from)
    }
    return scores
  }

  saveModel(folder: string): void {
    saveVariables(this.session, this.made.modelVariables, join(folder, 'model.safetensors'), this.published)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'mim_ctr', ...this.config.model }, null, 2))
  }

  loadModel(folder: string): void {
    loadVariables(this.session, this.made.modelVariables, join(folder, 'model.safetensors'), this.published)
  }

  /** Name of a variable in the model file, in which averages replace parameters. */
  private readonly published = (name: string) => {
    const { prefix } = this.made.training.evaluated
    return name.startsWith(prefix) ? name.slice(prefix.length) : name
  }

  /** Click rate in training: with the weights of impressions and the share of negatives that is kept. */
  private clickRate(): number {
    const { impressions, split } = this.data
    const sums = [0, 0]
    for (const { from, values: labels } of impressions.label.blocks(split.train.from, split.train.to)) {
      const weights = impressions.weight.read(from, from + labels.length)
      for (let i = 0; i < labels.length; i++) sums[labels[i]] += weights[i] ?? 1
    }
    const [others, clicks] = [this.config.train.negatives * sums[0], sums[1]]
    return clicks / (clicks + others)
  }

  private initialize(): void {
    const { session, config, data, made } = this
    const { parameters, tables, running } = made
    for (const parameter of parameters) {
      this.start(parameter.name, initialValues(parameter, config.seed))
    }
    for (const table of tables) initializeTable(session, table, 0.01, config.seed)
    for (const { name, shape, start } of running) session.write(name, new Float32Array(shape[0]).fill(start))
    if (made.isMixed) session.write(mixVariable, Float32Array.of(0.5))
    if (data.content) session.write(contentTable, data.content.vectors)
    // The bias starts at the click rate, so that the first steps need not learn it.
    const rate = this.clickRate()
    for (const { name } of parameters) {
      if (name.endsWith('head.out.bias')) this.start(name, Float32Array.of(Math.log(rate / (1 - rate))))
    }
  }
}

function openBatches(data: CtrDataset, rows: Column<'int32'>, batch: number, { train, model, seed }: CtrConfig) {
  const shared: CtrBatches = {
    columns: ctrColumns(data),
    ...shareArrays({ rows }),
    batch,
    // Each part has a row at least.
    accumulate: Math.min(train.accumulate, batch),
    buffer: train.buffer,
    behaviorSearch: searchOf(model),
    seed,
  }
  return new Prefetcher<Part[]>(new URL('./batch.js', import.meta.url), shared, train)
}

/** A view of the session in which program names have the prefix `prefix`. */
function prefixed(session: Session, prefix: string): Session {
  return {
    run: (program, inputs) => session.run(`${prefix}${program}`, inputs),
    read: (name, from, to) => session.read(name, from, to),
    write: (name, data, from) => session.write(name, data, from),
    liveTensors: () => session.liveTensors(),
    dispose: () => session.dispose(),
  }
}
