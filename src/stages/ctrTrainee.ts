/** What a training step, an evaluation and a checkpoint of a click model are. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CtrConfig } from '../config/ctr.js'
import type { CtrDataset, RowRange } from '../data/ctrDataset.js'
import { EpochOrder, inParts } from '../data/order.js'
import type { Engine, Session, VariableSpec } from '../engine/index.js'
import { initialiseTable, initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { makeTraining, type Training } from '../engine/training.js'
import { auc, gauc, logLoss } from '../metrics/index.js'
import { CtrInputs, contentTable, ctrBranches, ctrLoss, mixture, mixVariable, tableName } from '../models/ctr.js'
import { decays } from '../models/groups.js'
import { Parameters } from '../nn/parameters.js'
import { input, sigmoid } from '../ops/index.js'
import { program } from '../ops/program.js'
import type { StepResult, Trainee } from '../train/loop.js'
import { rateAt } from '../train/schedule.js'
import { ctrBatch, ctrFeatures } from './ctrBatch.js'

/** Impressions scored at a time. */
const scoring = 4096

export class CtrTrainee implements Trainee {
  readonly order: EpochOrder
  private readonly session: Session
  private readonly training: Training
  private readonly parameters: ReturnType<Parameters['list']>
  private readonly tables: VariableSpec[]
  private steps = 0

  constructor(
    engine: Engine,
    private readonly data: CtrDataset,
    private readonly config: CtrConfig,
  ) {
    const { model, train } = config
    const { from, to } = data.split.train
    const rows = Int32Array.from({ length: to - from }, (_, i) => from + i)
    this.order = new EpochOrder(rows, Math.min(train.batch, rows.length), config.seed)
    const features = ctrFeatures(data)
    const p = new Parameters()
    const inputs = new CtrInputs(features, model.dim)
    const drop = { rate: model.dropout, seed: input('seed', [2], 'int32') }
    const labels = input('label', [-1])
    const loss = ctrLoss(ctrBranches(p, inputs, model, drop), labels, train.branchLoss)
    this.parameters = p.list()
    // A model without ids leaves the tables alone.
    const used = new Set(inputs.lookups.map(({ table }) => table))
    const vocabulary = [...features.impression, ...features.item].filter(({ name }) => used.has(tableName(name)))
    this.tables = vocabulary.map(({ name, size }) => ({
      name: tableName(name),
      shape: [size, model.dim],
      dtype: 'float32',
      table: true,
    }))
    this.training = makeTraining(
      loss,
      p,
      this.tables.map(({ name, shape }) => ({
        name,
        shape,
        lookups: inputs.lookups.filter(({ table }) => table === name),
        rateFactor: train.tableRate,
        l2: train.tableL2,
      })),
      {
        ...train,
        group: (name, shape) => ({
          rateFactor: name.startsWith('content.') ? train.contentRate : 1,
          weightDecay: decays(name, shape) ? train.weightDecay : 0,
        }),
      },
    )
    const { evaluated, programs, state, scratch } = this.training
    const branches = ctrBranches(evaluated, new CtrInputs(features, model.dim), model, undefined)
    this.branches = branches.length
    const scorers = {
      predict: program({ probability: sigmoid(mixture(branches)) }),
      branches: program(Object.fromEntries(branches.map((logits, i) => [`${i}`, logits]))),
    }
    const own = evaluated.list().map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32' }))
    const mix: VariableSpec[] = this.branches > 1 ? [{ name: mixVariable, shape: [], dtype: 'float32' }] : []
    this.modelVariables = [...own, ...this.tables, ...mix]
    this.stateVariables = [...state, ...mix]
    const { content } = features
    const frozen: VariableSpec[] = content
      ? [{ name: contentTable, shape: [content.rows, content.width], dtype: content.type, table: true }]
      : []
    const all = [...this.stateVariables, ...scratch, ...frozen]
    this.session = engine.open({ ...programs, ...scorers }, all)
    this.initialise()
  }

  /** Logits that the prediction is mixed from. */
  private readonly branches: number
  /** What predicts: parameters or their averages, tables, and the mixture. */
  private readonly modelVariables: VariableSpec[]
  private readonly stateVariables: VariableSpec[]

  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config, data } = this
    const { accumulate } = config.train
    const waiting = performance.now()
    const rows = this.order.at(step)
    const parts = inParts(rows, accumulate).map((part, i) => {
      const seed = { data: Int32Array.of(config.seed, step * accumulate + i), shape: [2] }
      return { inputs: { ...ctrBatch(data, part), seed }, rows: part.length }
    })
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const loss = this.training.step(this.session, parts, step, learningRate)
    return { loss, samples: rows.length, waited, learningRate }
  }

  async evaluate(): Promise<Record<string, number>> {
    const { valid } = this.data.split
    const labels = this.data.impressions.label.subarray(valid.from, valid.to)
    const users = this.data.impressions.user.subarray(valid.from, valid.to)
    const mix = this.branches > 1 ? this.chooseMix(valid, labels) : {}
    const scores = this.predict(valid)
    return {
      valid_auc: auc(labels, scores),
      valid_gauc: gauc(labels, scores, users).gauc,
      valid_logloss: logLoss(labels, scores),
      ...mix,
    }
  }

  /** Sets the share of the id branch to that of the highest AUC, in steps of a twentieth. */
  private chooseMix(rows: RowRange, labels: Uint8Array): { id_share: number } {
    const [ids, content] = this.score(rows, 'branches', ['0', '1'])
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

  /** The `outputs` of a program for a range of impressions. */
  private score({ from, to }: RowRange, name: string, outputs: string[]): Float32Array[] {
    const scores = outputs.map(() => new Float32Array(to - from))
    for (let start = from; start < to; start += scoring) {
      const rows = Int32Array.from({ length: Math.min(scoring, to - start) }, (_, i) => start + i)
      const result = this.session.run(name, ctrBatch(this.data, rows))
      for (const [i, output] of outputs.entries()) scores[i].set(result[output].data, start - from)
    }
    return scores
  }

  saveState(folder: string): void {
    saveVariables(this.session, this.stateVariables, join(folder, 'state.safetensors'))
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.stateVariables, join(folder, 'state.safetensors'))
  }

  saveModel(folder: string): void {
    saveVariables(this.session, this.modelVariables, join(folder, 'model.safetensors'), this.published)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'mim_ctr', ...this.config.model }, null, 2))
  }

  loadModel(folder: string): void {
    loadVariables(this.session, this.modelVariables, join(folder, 'model.safetensors'), this.published)
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  close(): void {
    this.session.dispose()
  }

  /** Name of a variable in the model file, where averages take the place of parameters. */
  private readonly published = (name: string) => {
    const { prefix } = this.training.evaluated
    return name.startsWith(prefix) ? name.slice(prefix.length) : name
  }

  private initialise(): void {
    const { session, config, data, training } = this
    for (const parameter of this.parameters) {
      training.start(session, parameter.name, initialValues(parameter, config.seed))
    }
    for (const table of this.tables) initialiseTable(session, table, 0.01, config.seed)
    if (this.branches > 1) session.write(mixVariable, Float32Array.of(0.5))
    if (data.content) session.write(contentTable, data.content.vectors)
    // The model starts at the click rate, so that the first steps need not find it.
    const { from, to } = data.split.train
    const rate = data.impressions.label.subarray(from, to).reduce((a, b) => a + b, 0) / (to - from)
    for (const { name } of this.parameters) {
      if (name.endsWith('head.out.bias')) training.start(session, name, Float32Array.of(Math.log(rate / (1 - rate))))
    }
  }
}
