/** Stage 2, C-SFT: fine-tunes the encoder on behavior. The loss pulls the vector of a query to the vector of its target. */
import { UserError } from '../../base/errors.js'
import type { Warning } from '../../base/warning.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { openCheckpoint } from '../../checkpoint/hub.js'
import { withProvenance } from '../../checkpoint/provenance.js'
import { openWeights, type Weights } from '../../checkpoint/weights.js'
import type { SftConfig } from '../../config/sft.js'
import type { Catalogue } from '../../data/items/catalogue.js'
import { findTable } from '../../data/tables/contract.js'
import { type Engine, openEngine } from '../../engine/index.js'
import { inPrecision } from '../../engine/precision.js'
import { isCollapsed, isPrinted, recallAtK } from '../../metrics/index.js'
import { contentWidth, encoderPrograms, encoderShape } from '../../models/encoder.js'
import { Parameters } from '../../nn/parameters.js'
import { type RecallTask, recallSection } from '../../report/index.js'
import { prefixed } from '../../report/variants.js'
import { train } from '../../train/loop.js'
import type { Run } from '../../train/run.js'
import type { LoopOptions, Trained } from '../../train/task.js'
import { encodeItems, type ItemVectors } from '../shared/encode.js'
import { initOf, revisionOf } from '../shared/inputs.js'
import { requireEncoderMemory } from '../shared/memory.js'
import { showSearches } from './gallery.js'
import { closeSftData, loadSftData, type SftData } from './load.js'
import { type Judged, recallMetrics } from './recall.js'
import { firstValues, SftTask } from './task.js'

/** @throws UserError `matryoshka-size`, and those of the checkpoint, the tables and the training. */
export async function sft(config: SftConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const model = await openModel(config, run)
  // The encoder that fills the queue is a copy.
  requireEncoderMemory(encoderShape(model), config, { copies: 1 })
  let opening: ReturnType<typeof openEncoder> | undefined
  // Lazy, so that the data are checked before an engine is opened.
  const open = () => (opening ??= openEncoder(config, model, run))
  let data: SftData | undefined
  try {
    data = await loadSftData(config, model, run, async (catalogue) =>
      firstVectors(await open(), model, catalogue, config),
    )
    const { engine, weights } = await open()
    const task = new SftTask(engine, data, model, encoderShape(model), config, weights)
    const { before, after, trained } = await trainAndJudge(task, data, config, run)
    return {
      ...prefixed('before', before),
      ...prefixed('after', after),
      ...prefixed('popularity', recallMetrics(data.baselines.popularity, task.seen)),
      ...prefixed('cooccurrence', recallMetrics(data.baselines.cooccurrence, task.seen)),
      ...trained.best,
      best_step: trained.bestStep,
      steps: trained.steps,
      stopped: trained.stopped,
      pairs_seen: trained.steps * config.train.batch,
      positives: data.positives.bySource,
      engine: engine.name,
      seconds: (Date.now() - started) / 1000,
    }
  } finally {
    if (data) closeSftData(data)
    const opened = await opening?.catch(() => undefined)
    opened?.weights.close()
  }
}

/** The checkpoint of stage 1 with the card of this stage. */
async function openModel(config: SftConfig, run: Run): Promise<ModelFolder> {
  const name = initOf(config)
  const init = await openCheckpoint(name, run.terminal, (warning) => run.warn(warning))
  await run.checkInput('init', revisionOf(name, init))
  const sources = (['items', 'behaviors'] as const).map((table) => ({
    table,
    path: findTable(config.data.root, config.data[table]),
  }))
  const model = withProvenance(init, 'sft', config, sources)
  const width = contentWidth(encoderShape(model))
  const long = config.levels.matryoshka.find((size) => size >= width)
  if (long === undefined) return model
  const expected = `less than ${width}, the width of the content vector`
  throw new UserError({ id: 'matryoshka-size', what: `levels.matryoshka ${long}`, expected })
}

interface OpenEncoder {
  engine: Engine
  weights: Weights
}

async function openEncoder(config: SftConfig, { path }: ModelFolder, run: Run): Promise<OpenEncoder> {
  const say = (line: string) => run.say(line)
  const engine = await inPrecision(await openEngine(config, say), config.precision, run.path('precision.json'), say)
  return { engine, weights: openWeights(path) }
}

/** Trains, evaluates on the test part before and after, shows the results in the report, and closes the task. */
async function trainAndJudge(
  task: SftTask,
  data: SftData,
  config: SftConfig,
  run: Run,
): Promise<{ before: Record<string, number>; after: Record<string, number>; trained: Trained }> {
  try {
    const before = await task.judge('test', data.first)
    run.say(`before: ${text(before.metrics)}`, before.metrics)
    const trained = await train(task, loopOptions(config, task, Object.keys(before.metrics)), run)
    task.loadModel(run.path('checkpoint'))
    const after = await task.judge('test')
    run.say(`after: ${text(after.metrics)}`, after.metrics)
    await run.show(() => recallSection(after.judged.map((found, i) => recallTask(found, before.judged[i].ranks))))
    const { catalogue, positives, queries } = data
    await run.show(() => showSearches(catalogue.items, config.data, positives, queries.folder, after.judged))
    for (const warning of contentWarnings(before.metrics, after.metrics, config.evaluation.retention)) run.warn(warning)
    return { before: before.metrics, after: after.metrics, trained }
  } finally {
    await task.close()
  }
}

function loopOptions({ train }: SftConfig, { stepsPerEpoch }: SftTask, metrics: readonly string[]): LoopOptions {
  return {
    ...train,
    steps: Math.max(1, Math.round(stepsPerEpoch * train.epochs)),
    evaluateEvery: train.evaluateEvery || stepsPerEpoch,
    monitor: train.monitor ?? 'valid_recall_10',
    metrics: metrics.filter(isPrinted).map((name) => `valid_${name}`),
  }
}

/** Vectors of all items by the encoder that training starts from. */
async function firstVectors(
  { engine, weights }: OpenEncoder,
  model: ModelFolder,
  catalogue: Catalogue,
  { seed }: SftConfig,
): Promise<ItemVectors> {
  const shape = encoderShape(model)
  const p = new Parameters()
  const programs = encoderPrograms(p, shape)
  const session = engine.open(
    programs,
    p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
  )
  try {
    for (const parameter of p.list()) session.write(parameter.name, firstValues(parameter, model, weights, seed))
    const all = Int32Array.from({ length: catalogue.items.count }, (_, i) => i)
    return await encodeItems(session, catalogue, all, shape, model.preprocessing)
  } finally {
    session.dispose()
  }
}

/** Warnings if the vectors lost content: all of them are similar, or titles no longer find their pictures. */
export function contentWarnings(
  before: Record<string, number>,
  after: Record<string, number>,
  retention: number,
): Warning[] {
  const warnings: Warning[] = []
  const { mean_cosine: cosine, title_to_image_recall_10: recall } = after
  if (isCollapsed(cosine)) {
    const what = `the vectors have collapsed: mean cosine ${cosine.toFixed(3)}`
    warnings.push({ id: 'collapse', what, remedy: 'lower the learning rate' })
  }
  const kept = recall / before['title_to_image_recall_10']
  if (kept < retention) {
    const what = `title → picture recall@10 is ${(100 * kept).toFixed(0)} % of stage 1's`
    warnings.push({ id: 'retention', what, remedy: 'raise levels.alignment or levels.distillation' })
  }
  return warnings
}

function recallTask({ kind, ranks }: Judged, ranksBefore: Float64Array): RecallTask {
  const ks = [1, 10, 50]
  const [before, after] = [recallAtK(ranksBefore, ks), recallAtK(ranks, ks)]
  const recalls = ks.map((k, i) => ({ k, before: before[i], after: after[i] }))
  return { title: `Query: ${kind}`, hint: `${ranks.length} queries of the test period`, recalls }
}

/** The metrics that are printed, as text. */
const text = (metrics: Record<string, number>) =>
  Object.entries(metrics)
    .filter(([name]) => isPrinted(name))
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(', ')
