/** Stage 3: the click model that joins ids and content interest (CiUBM), its baselines, and their evaluation. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CtrConfig } from '../config/ctr.js'
import { loadContent } from '../data/contentTable.js'
import { buildDataset, type CtrDataset, type RowRange } from '../data/ctrDataset.js'
import { Database, identifier, literal } from '../data/duckdb.js'
import { itemNumbers, loadImpressions, userNumbers } from '../data/impressions.js'
import { EpochOrder } from '../data/order.js'
import { findTable, openTable } from '../data/table.js'
import { type Engine, openEngine, type Session, type Value, type VariableSpec } from '../engine/index.js'
import { adamOptimizer, type Optimizer } from '../engine/optimizer.js'
import { initialiseTable, initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { UserError } from '../errors.js'
import { replaceFile } from '../files.js'
import { binaryCrossEntropy } from '../losses/binary.js'
import { auc, aucByBucket, buckets, calibration, gauc, logLoss } from '../metrics/index.js'
import { CtrInputs, contentTable, ctrLogits, tableName } from '../models/ctr.js'
import { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { input, sigmoid } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import { type StepResult, type Trainee, train } from '../train/loop.js'
import type { Run } from '../train/run.js'
import { rateAt } from '../train/schedule.js'
import { ctrBatch, ctrFeatures } from './ctrBatch.js'

export async function ctr(config: CtrConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const db = await Database.open()
  const data = await loadDataset(db, config)
  describe(data, config, run)
  const engine = await openEngine(config, (line) => run.say(line))
  const trainee = new CtrTrainee(engine, data, config)
  const { stepsPerEpoch } = trainee.order
  const steps = Math.max(1, Math.round(stepsPerEpoch * config.train.epochs))
  const evaluateEvery = config.train.evaluateEvery || stepsPerEpoch
  const result = await train(
    trainee.plan(steps),
    {
      ...config.train,
      steps,
      evaluateEvery,
      saveEvery: config.train.saveEvery || evaluateEvery,
      monitor: 'valid_auc',
      greaterIsBetter: true,
    },
    run,
  )
  const trained = (Date.now() - started) / 1000
  trainee.loadModel(run.path('checkpoint'))
  const scores = trainee.predict(data.split.test)
  await writePredictions(db, data, scores, run.path('predictions.parquet'))
  db.close()
  trainee.close()
  return {
    model: config.model.name,
    ...testMetrics(data, scores),
    ...result.best,
    best_step: result.bestStep,
    steps: result.steps,
    engine: engine.name,
    train_seconds: trained,
    seconds: (Date.now() - started) / 1000,
  }
}

async function loadDataset(db: Database, config: CtrConfig): Promise<CtrDataset> {
  const { data, history, features, split, model } = config
  const usesContent = model.name !== 'din'
  if (usesContent && data.embeddings === null) {
    const remedy = 'run mim embed and add --embeddings FOLDER, or use --model din'
    throw new UserError({ id: 'embeddings-missing', what: `model '${model.name}' needs content vectors`, remedy })
  }
  const itemsPath = findTable(data.root, data.items)
  const itemRules = Object.fromEntries(features.items.map((name) => [name, { type: 'any' as const }]))
  const items =
    features.items.length > 0
      ? await openTable(db, itemsPath, { [data.columns.item]: { type: 'id', unique: true }, ...itemRules })
      : undefined
  const id = identifier(data.columns.item)
  const catalogue = items
    ? [
        {
          path: items.path,
          ids: `SELECT ${id} AS item_id FROM ${items.source}`,
          type: items.columns.get(data.columns.item)!,
        },
      ]
    : []
  const impressions = await loadImpressions(
    db,
    {
      ...data,
      impressions: findTable(data.root, data.impressions),
      behaviors: findTable(data.root, data.behaviors),
      actions: history.actions,
      length: history.length,
      context: features.context,
    },
    catalogue,
  )
  const texts: [string, (string | null)[]][] = []
  for (const name of features.items) {
    const { value } = await db.columns(
      `SELECT CAST(t.${identifier(name)} AS VARCHAR) AS value FROM ${itemNumbers} n
       LEFT JOIN ${items!.source} t ON t.${id} = n.item_id ORDER BY n.item`,
      { value: 'string' },
    )
    texts.push([name, value])
  }
  const content = usesContent ? await loadContent(db, data.embeddings!, itemNumbers, impressions.items) : undefined
  const dataset = buildDataset(impressions, Object.fromEntries(texts), content, { split, ...features })
  checkClasses(dataset)
  return dataset
}

function checkClasses({ impressions: { label, rows }, split }: CtrDataset): void {
  for (const [name, { from, to }] of Object.entries(split)) {
    const clicks = label.subarray(from, to).reduce((a, b) => a + b, 0)
    if (clicks > 0 && clicks < to - from) continue
    throw new UserError({
      id: 'labels-one-class',
      what: `the ${name} part has ${clicks} clicks in ${to - from} of ${rows} impressions`,
      expected: 'some clicked and some not, in train, valid and test',
      remedy: 'give more data or change split',
    })
  }
}

/** Says how much there is, and how far the content vectors reach. */
function describe({ impressions, split, content }: CtrDataset, { model }: CtrConfig, run: Run): void {
  const { rows, users, items, events, historyStart, historyEnd, item } = impressions
  const size = ({ from, to }: RowRange) => to - from
  const mean = historyEnd.reduce((total, end, i) => total + end - historyStart[i], 0) / rows
  run.say(
    `${model.name}: ${size(split.train)} impressions train, ${size(split.valid)} validate, ${size(split.test)} test; ` +
      `${users} users, ${items} items, ${events.length} behaviours, ${mean.toFixed(1)} in a history on average`,
  )
  if (!content) return
  const share = (of: Int32Array) => (100 * of.reduce((n, i) => n + (content.rowOf[i] > 0 ? 1 : 0), 0)) / of.length
  run.say(
    `content vectors: ${share(item).toFixed(1)} % of targets and ${share(events).toFixed(1)} % of behaviours have one`,
  )
}

/** Impressions scored at a time. */
const scoring = 4096

class CtrTrainee implements Trainee {
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
    const loss = binaryCrossEntropy(ctrLogits(p, inputs, model, drop), input('label', [-1]))
    this.parameters = p.list()
    const grads = gradients(loss, [
      ...this.parameters.map(({ tensor }) => tensor),
      ...inputs.lookups.map(({ rows }) => rows),
    ])
    const vocabulary = [...features.impression, ...features.item]
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
      train,
    )
    const predicted = sigmoid(ctrLogits(p, new CtrInputs(features, model.dim), model, undefined))
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
    session.write('head.out.bias', Float32Array.of(Math.log(rate / (1 - rate))))
  }
}

/** Items with fewer training impressions than this count as rare. */
const rare = 20

/** All that is said of the test period. */
function testMetrics({ impressions, split: { test }, trainCount, content }: CtrDataset, scores: Float32Array) {
  const { from, to } = test
  const labels = impressions.label.subarray(from, to)
  const items = impressions.item.subarray(from, to)
  const users = impressions.user.subarray(from, to)
  const where = (keep: (item: number) => boolean) => {
    const rows = Int32Array.from(items.keys()).filter((i) => keep(items[i]))
    return auc(
      Uint8Array.from(rows, (i) => labels[i]),
      Float32Array.from(rows, (i) => scores[i]),
    )
  }
  const byBucket = (values: Float64Array) => {
    const { bucketOfRow, rows, low, high } = buckets(values)
    return aucByBucket(labels, scores, bucketOfRow, rows.length).map((b, i) => ({ low: low[i], high: high[i], ...b }))
  }
  const groups = gauc(labels, scores, users)
  const { ece, predictedOverObserved } = calibration(labels, scores)
  return {
    auc: auc(labels, scores),
    gauc: groups.gauc,
    gauc_users: groups.groups,
    logloss: logLoss(labels, scores),
    ece,
    predicted_over_observed: predictedOverObserved,
    auc_unseen: where((item) => trainCount[item] === 0),
    auc_rare: where((item) => trainCount[item] < rare),
    ...(content ? { auc_without_vector: where((item) => content.rowOf[item] === 0) } : {}),
    test_impressions: to - from,
    by_item_frequency: byBucket(Float64Array.from(items, (item) => trainCount[item])),
    by_history_length: byBucket(
      Float64Array.from(items, (_, i) => impressions.historyEnd[from + i] - impressions.historyStart[from + i]),
    ),
  }
}

/** The scored test period, with ids as they came in. */
async function writePredictions(
  db: Database,
  { impressions, split: { test } }: CtrDataset,
  scores: Float32Array,
  path: string,
) {
  await db.run(
    'CREATE OR REPLACE TEMP TABLE scored (row INTEGER, usr INTEGER, item INTEGER, label UTINYINT, probability FLOAT)',
  )
  const appender = await db.appender('scored')
  scores.forEach((score, i) => {
    const row = test.from + i
    appender.appendInteger(row)
    appender.appendInteger(impressions.user[row])
    appender.appendInteger(impressions.item[row])
    appender.appendUTinyInt(impressions.label[row])
    appender.appendFloat(score)
    appender.endRow()
  })
  appender.closeSync()
  await replaceFile(path, (temporary) =>
    db.run(`COPY (SELECT user_id, item_id, label, probability FROM scored
      JOIN ${userNumbers} USING (usr) JOIN ${itemNumbers} USING (item) ORDER BY row)
      TO ${literal(temporary)} (FORMAT parquet, COMPRESSION zstd)`),
  )
}
