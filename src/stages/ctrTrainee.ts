/** What a training step, an evaluation and a checkpoint of a click model are. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CtrConfig } from '../config/ctr.js'
import type { CtrDataset, RowRange } from '../data/ctrDataset.js'
import { EpochOrder } from '../data/order.js'
import type { Engine, Session, Value, VariableSpec } from '../engine/index.js'
import { adamOptimizer, type Optimizer } from '../engine/optimizer.js'
import { initialiseTable, initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { binaryCrossEntropy } from '../losses/binary.js'
import { auc, gauc, logLoss } from '../metrics/index.js'
import { CtrInputs, contentTable, ctrModel, tableName } from '../models/ctr.js'
import { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { add, input, mul, sigmoid } from '../ops/index.js'
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
    const { logits, branches } = ctrModel(p, inputs, model, drop)
    const loss = [logits, ...branches]
      .map((x, i) => mul(binaryCrossEntropy(x, labels), i === 0 ? 1 : train.branchLoss))
      .reduce((a, b) => add(a, b))
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
    const predicted = sigmoid(ctrModel(p, new CtrInputs(features, model.dim), model, undefined).logits)
    const programs: Record<string, Program> = {
      train: program({ loss }, this.optimizer.effects),
      predict: program({ probability: predicted }),
    }
    const own = this.parameters.map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32' }))
    this.modelVariables = [...own, ...this.tables]
    this.stateVariables = [...this.modelVariables, ...this.optimizer.variables]
    const frozen: VariableSpec[] = features.content
      ? [{ name: contentTable, shape: [features.content.rows, features.content.width], dtype: 'float32', table: true }]
      : []
    this.session = engine.open(programs, [...this.stateVariables, ...frozen])
    this.initialise()
  }

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
    const scores = this.predict(valid)
    const labels = this.data.impressions.label.subarray(valid.from, valid.to)
    const users = this.data.impressions.user.subarray(valid.from, valid.to)
    return {
      valid_auc: auc(labels, scores),
      valid_gauc: gauc(labels, scores, users).gauc,
      valid_logloss: logLoss(labels, scores),
    }
  }

  /** Click probabilities of a range of impressions. */
  predict({ from, to }: RowRange): Float32Array {
    const scores = new Float32Array(to - from)
    for (let start = from; start < to; start += scoring) {
      const rows = Int32Array.from({ length: Math.min(scoring, to - start) }, (_, i) => start + i)
      const { probability } = this.session.run('predict', ctrBatch(this.data, rows))
      scores.set(probability.data, start - from)
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
    if (data.content) session.write(contentTable, data.content.vectors)
    // The model starts at the click rate, so that the first steps need not find it.
    const { from, to } = data.split.train
    const rate = data.impressions.label.subarray(from, to).reduce((a, b) => a + b, 0) / (to - from)
    for (const { name } of this.parameters) {
      if (name.endsWith('head.out.bias')) session.write(name, Float32Array.of(Math.log(rate / (1 - rate))))
    }
  }
}
