/** Scores impressions with a trained click model on ONNX Runtime, and explains the scores. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireFileApart } from '../../base/apart.js'
import { messageOf, UserError } from '../../base/errors.js'
import { replaceFile } from '../../base/files.js'
import { requireFile } from '../../base/ownFile.js'
import { removeSiblings, siblingName } from '../../base/processes/temporary.js'
import { lockOutput } from '../../base/runStage.js'
import { warningText } from '../../base/warning.js'
import { type CtrConfig, ctrConfig } from '../../config/ctr.js'
import { loadConfig } from '../../config/load.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import { DataFacts } from '../../data/facts.js'
import { inputsOf } from '../../data/inputs.js'
import { Database } from '../../data/tables/duckdb.js'
import type { ContentTable } from '../../data/vectors/contentTable.js'
import type { Value } from '../../engine/index.js'
import { historyInput, searchOf, targetInput, vectorInput } from '../../models/ctr/index.js'
import { exportClickModel, probabilityOutput, problemOfExport } from '../../runtime/clickModel.js'
import { type ModelOptions, openModel } from '../../runtime/model.js'
import { factLines, factMetrics } from '../../train/facts.js'
import type { Terminal } from '../../train/terminal.js'
import { requireSameModels } from '../shared/inputs.js'
import { ctrBatch, ctrFeatures } from './batch.js'
import { Explanations } from './explain.js'
import { loadDataset } from './load.js'

/** Purpose of the folder of temporary files, next to the result. */
const spill = 'temporary'

/** Files and folders of the run, which the result must not replace. */
const written = [
  ...['config.yaml', 'inputs.json', 'metrics.json', 'checkpoint', 'onnx', 'last', 'log.jsonl', 'history.parquet'],
  ...['predictions.parquet', 'report.html'],
]

/** Impressions scored at a time. */
const scoring = 4096

export interface PredictOptions {
  /** Folder of a finished run of `mim ctr`. */
  run: string
  /** Parquet file to write. */
  out: string
  /** Options of `mim ctr` that differ from the run, by path: the data to score. */
  changes: Record<string, unknown>
  provider: ModelOptions['provider']
  threads: number
  /** Behaviors listed for each impression; 0: no explanations. */
  explain: number
}

/**
 * Writes `user_id`, `item_id` and `probability` of each impression, in the order of the input. Labels are not read. With `explain` also the
 * behaviors of the greatest weight in each attention, and those nearest to the target.
 * @throws UserError `run-missing` if `run` is no finished run, `vectors-model` for vectors of another model, `out-input`
 * if `out` is one of the inputs, `folder-locked` if another process writes `out`, and those of reading the data.
 */
export async function predict(options: PredictOptions, terminal: Terminal): Promise<Record<string, unknown>> {
  const { run, out } = options
  const started = Date.now()
  const config = configOf(run, options.changes)
  requireSameModels(run, config)
  const ofRun = written.map((name) => join(run, name))
  requireFileApart(out, '--out', [...inputsOf(config), ...ofRun.map((path) => ({ option: 'the run', path }))])
  using _lock = lockOutput(out)
  removeSiblings(out, spill)
  using db = await Database.open({ memory: config.data.memory, temporary: siblingName(out, spill) })
  const facts = new DataFacts()
  const data = await loadDataset(db, config, { trained: join(run, 'checkpoint'), facts })
  for (const line of factLines(facts)) terminal.say(line)
  for (const warning of facts.warnings) terminal.say(warningText(warning))
  try {
    const { provider, columns } = await score(db, data, config, options, terminal)
    const { select, join: joins } = columns
    const named = `SELECT user_id, item_id, probability ${select} FROM scores s
        ${data.numbers.joinUsers} ${data.numbers.joinItems} ${joins} ORDER BY s.row`
    await replaceFile(out, (file) => db.writeParquet(named, file))
    const found = { data: factMetrics(facts), warnings: facts.warnings }
    const seconds = (Date.now() - started) / 1000
    return { impressions: data.impressions.rows, provider, out, seconds, ...found }
  } finally {
    data.store.close()
  }
}

/** Fills the DuckDB table `scores` (row, usr, item, probability), and those of the explanations. */
async function score(
  db: Database,
  data: CtrDataset,
  config: CtrConfig,
  { explain, run, ...options }: PredictOptions,
  terminal: Terminal,
) {
  let onnx = join(run, 'onnx')
  const problem = problemOfExport(onnx)
  if (problem !== undefined) {
    terminal.say(`the model is exported again from the checkpoint: ${problem}`)
    // The run belongs to others, who may change it at the same time, and it may be read-only.
    onnx = join(db.temporary, 'onnx')
    await exportClickModel(join(run, 'checkpoint'), ctrFeatures(data), config, onnx)
  }
  const { rows, user, item } = data.impressions
  const behaviorSearch = searchOf(config.model)
  const model = await openModel(join(onnx, 'model.onnx'), options, (line) => terminal.say(line))
  const bar = terminal.bar('scoring', rows)
  try {
    await db.run('CREATE OR REPLACE TEMP TABLE scores (row INTEGER, usr INTEGER, item INTEGER, probability FLOAT)')
    const explanations = explain > 0 ? await Explanations.open(db, data, behaviorSearch, explain) : undefined
    for (let from = 0; from < rows; from += scoring) {
      const batch = Int32Array.from({ length: Math.min(scoring, rows - from) }, (_, i) => from + i)
      const inputs = withVectors(ctrBatch(data, batch, behaviorSearch), data.content)
      const outputs = await model.run(inputs).catch((error) => refuseModel(error, onnx))
      requireProbabilities(outputs[probabilityOutput].data as Float32Array, from, onnx)
      const [users, items] = [user, item].map((column) => column.read(from, from + batch.length))
      await db.insert('scores', [batch, users, items, outputs[probabilityOutput].data])
      await explanations?.add(batch, outputs)
      bar.update(from + batch.length)
    }
    return { provider: model.provider, columns: explanations?.columns() ?? { select: '', join: '' } }
  } finally {
    bar.stop()
    await model.close()
  }
}

/** @throws UserError `model-broken`: of an export without checksums that other files were copied into */
function refuseModel(error: unknown, onnx: string): never {
  const remedy = 'remove its folder: the model is exported again'
  const what = `ONNX Runtime cannot run it: ${messageOf(error).split('\n')[0]}`
  throw new UserError({ id: 'model-broken', where: onnx, what, remedy })
}

/** @throws UserError `probability-not-finite`, before anything is written */
export function requireProbabilities(probabilities: Float32Array, from: number, where: string): void {
  const odd = probabilities.findIndex((x) => !Number.isFinite(x))
  if (odd < 0) return
  throw new UserError({
    id: 'probability-not-finite',
    where,
    what: `the probability of impression ${from + odd + 1} is ${probabilities[odd]}`,
    expected: 'a number from 0 to 1',
    remedy: 'check the values of its features, and the weights of the model: train it again if they are spoilt',
  })
}

function configOf(run: string, changes: Record<string, unknown>): CtrConfig {
  const missing = ['config.yaml', 'metrics.json', 'checkpoint/model.safetensors'].find((f) => !existsSync(join(run, f)))
  if (missing === undefined) {
    requireFile(join(run, 'config.yaml'), { remedy: 'copy the run folder again' })
    return loadConfig(ctrConfig, { file: join(run, 'config.yaml'), stage: 'ctr', flags: changes })
  }
  const remedy = 'give the folder of a finished run of mim ctr; continue a stopped one with --resume'
  throw new UserError({ id: 'run-missing', where: run, what: `${missing} is missing`, remedy })
}

/** The inputs of an exported model: those of training, with content vectors looked up. */
export function withVectors(inputs: Record<string, Value>, content: ContentTable | undefined): Record<string, Value> {
  if (!content) return inputs
  const { vectors, width, scale } = content
  const of = (name: string): [string, Value] => {
    const rows = inputs[name].data
    const data = new Float32Array(rows.length * width)
    for (let i = 0; i < rows.length; i++) {
      for (let j = 0; j < width; j++) data[i * width + j] = vectors[rows[i] * width + j] * scale
    }
    return [vectorInput(name), { data, shape: [rows.length, width] }]
  }
  return { ...inputs, ...Object.fromEntries([of(targetInput('content')), of(historyInput('content'))]) }
}
