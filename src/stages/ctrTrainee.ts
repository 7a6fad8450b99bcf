/** What a training step, an evaluation and a checkpoint of a click model are. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CtrConfig } from '../config/ctr.js'
import type { CtrDataset, RowRange } from '../data/ctrDataset.js'
import { EpochOrder } from '../data/order.js'
import type { Engine, Session, Value, VariableSpec } from '../engine/index.js'
import { adamOptimizer, type Optimizer } from '../engine/optimizer.js'
import { initialiseTable, initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { auc, gauc, logLoss } from '../metrics/index.js'
import { CtrInputs, contentTable, ctrBranches, ctrLoss, mixture, mixVariable, tableName } from '../models/ctr.js'
import { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { input, sigmoid } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import type { StepResult, Trainee } from '../train/loop.js'
import { rateAt } from '../train/schedule.js'
import { ctrBatch, ctrFeatures } from './ctrBatch.js'

/** Impressions scored at a time. */
const scoring = 4096

export class CtrTrainee implements Trainee {
  readonly order: EpochOrder
  private readonly session: Session
  private readonly optimizer: Optimizer
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
    const grads = gradients(loss, [
      ...this.parameters.map(({ tensor }) => tensor),
      ...inputs.lookups.map(({ rows }) => rows),
    ])
    // A model without ids leaves the tables alone.
    const used = new Set(inputs.lookups.map(({ table }) => table))
    const vocabulary = [...features.impression, ...features.item].filter(({ name }) => used.has(tableName(name)))
    this.tables = vocabulary.map(({ name, size }) => ({
      name: tableName(name),
      shape: [size, model.dim],
      dtype: 'float32',
      table: true,
    }))
    this.optimizer = adamOptimizer(
      this.parameters.map(({ name, tensor }, i) => ({ name, tensor, gradient: grads[i] })),
      this.tables.map(({ name, shape: [size, width] }) => ({
        table: name,
        vocabulary: size,
        width,
        lookups: inputs.lookups.flatMap(({ table, ids }, i) =>
          table === name ? [{ ids, gradient: grads[this.parameters.length + i] }] : [],
        ),
        l2: train.tableL2,
      })),
      { ...train, rateFactor: (name) => (name.startsWith('content.') ? train.contentRate : 1) },
    )
    const branches = ctrBranches(p, new CtrInputs(features, model.dim), model, undefined)
    this.branches = branches.length
    const programs: Record<string, Program> = {
      train: program({ loss }, this.optimizer.effects),
      predict: program({ probability: sigmoid(mixture(branches)) }),
      branches: program(Object.fromEntries(branches.map((logits, i) => [`${i}`, logits]))),
    }
    const own = this.parameters.map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32' }))
    const mix: VariableSpec[] = this.branches > 1 ? [{ name: mixVariable, shape: [], dtype: 'float32' }] : []
    this.modelVariables = [...own, ...this.tables, ...mix]
    this.stateVariables = [...this.modelVariables, ...this.optimizer.variables]
    const frozen: VariableSpec[] = features.content
      ? [{ name: contentTable, shape: [features.content.rows, features.content.width], dtype: 'float32', table: true }]
      : []
    this.session = engine.open(programs, [...this.stateVariables, ...frozen])
    this.initialise()
  }

  /** Logits that the prediction is mixed from. */
  private readonly branches: number
  private readonly modelVariables: VariableSpec[]
  private readonly stateVariables: VariableSpec[]

  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config, session, optimizer } = this
    const waiting = performance.now()
    const rows = this.order.at(step)
    const inputs: Record<string, Value> = {
      ...ctrBatch(this.data, rows),
      seed: { data: Int32Array.of(config.seed, step), shape: [2] },
    }
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const { loss } = session.run('train', { ...inputs, ...optimizer.inputs(step, learningRate) })
    return { loss: loss.data[0], samples: rows.length, waited, learningRate }
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
    saveVariables(this.session, this.modelVariables, join(folder, 'model.safetensors'))
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'mim_ctr', ...this.config.model }, null, 2))
  }

  loadModel(folder: string): void {
    loadVariables(this.session, this.modelVariables, join(folder, 'model.safetensors'))
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  close(): void {
    this.session.dispose()
  }

  private initialise(): void {
    const { session, config, data } = this
    for (const parameter of this.parameters) session.write(parameter.name, initialValues(parameter, config.seed))
    for (const table of this.tables) initialiseTable(session, table, 0.01, config.seed)
    if (this.branches > 1) session.write(mixVariable, Float32Array.of(0.5))
    if (data.content) session.write(contentTable, data.content.vectors)
    // The model starts at the click rate, so that the first steps need not find it.
    const { from, to } = data.split.train
    const rate = data.impressions.label.subarray(from, to).reduce((a, b) => a + b, 0) / (to - from)
    for (const { name } of this.parameters) {
      if (name.endsWith('head.out.bias')) session.write(name, Float32Array.of(Math.log(rate / (1 - rate))))
    }
  }
}
