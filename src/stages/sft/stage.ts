/** Stage 2, C-SFT: behavior supervises the vectors. What a user asked with is drawn to what the user then chose. */
import { UserError } from '../../base/errors.js'
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
import { encodeItems, type ItemVectors } from '../shared/encode.js'
import { showSearches } from './gallery.js'

import { loadSftData } from './load.js'
import { type Judged, recallMetrics } from './recall.js'
import { firstValues, SftTask } from './task.js'

export async function sft(config: SftConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const init = await openCheckpoint(config.init.replaceAll('{seed}', String(config.seed)), run.terminal)
  const sources = (['items', 'behaviors'] as const).map((table) => ({
    table,
    path: findTable(config.data.root, config.data[table]),
  }))
  const model = withProvenance(init, 'sft', config, sources)
  const shape = encoderShape(model)
  const long = config.levels.matryoshka.find((size) => size >= contentWidth(shape))
  if (long !== undefined) {
    const expected = `less than the ${contentWidth(shape)} of the content vector`
    throw new UserError({ id: 'matryoshka-size', what: `levels.matryoshka ${long}`, expected })
  }
  let opening: ReturnType<typeof openEncoder> | undefined
  const open = () => (opening ??= openEncoder(config, model, run))
  const data = await loadSftData(config, model, run, async (catalogue) => {
    const { engine, weights } = await open()
    return firstVectors(engine, model, weights, catalogue, config.seed)
  })
  const { engine, weights } = await open()
  const task = new SftTask(engine, data, model, shape, config, weights)
  weights.close()
  const before = await task.judge('test', data.first)
  run.say(`before: ${text(before.metrics)}`, before.metrics)
  const { stepsPerEpoch } = task
  const steps = Math.max(1, Math.round(stepsPerEpoch * config.train.epochs))
  const result = await train(
    task,
    {
      ...config.train,
      steps,
      evaluateEvery: config.train.evaluateEvery || stepsPerEpoch,
      monitor: config.train.monitor ?? 'valid_recall_10',
      metrics: Object.keys(before.metrics).flatMap((name) => (isPrinted(name) ? [`valid_${name}`] : [])),
    },
    run,
  )
  task.loadModel(run.path('checkpoint'))
  const after = await task.judge('test')
  run.say(`after: ${text(after.metrics)}`, after.metrics)
  await run.show(() => recallSection(after.judged.map((found, i) => recallTask(found, before.judged[i].ranks))))
  const { catalogue, positives, queries } = data
  await run.show(() => showSearches(catalogue.items, config.data, positives, queries.folder, after.judged))
  await task.close()
  for (const warning of contentWarnings(before.metrics, after.metrics, config.evaluation.retention))
    run.say(`warning: ${warning}`)
  return {
    ...prefixed('before', before.metrics),
    ...prefixed('after', after.metrics),
    ...prefixed('popularity', recallMetrics(data.baselines.popularity, task.seen)),
    ...prefixed('cooccurrence', recallMetrics(data.baselines.cooccurrence, task.seen)),
    ...result.best,
    best_step: result.bestStep,
    steps: result.steps,
    stopped: result.stopped,
    pairs_seen: result.steps * config.train.batch,
    positives: data.positives.bySource,
    engine: engine.name,
    seconds: (Date.now() - started) / 1000,
  }
}

async function openEncoder(config: SftConfig, { path }: ModelFolder, run: Run) {
  const say = (line: string) => run.say(line)
  const engine = await inPrecision(await openEngine(config, say), config.precision, run.path('precision.json'), say)
  return { engine, weights: openWeights(path) }
}

/** Vectors of all items by the encoder that training starts from. */
async function firstVectors(
  engine: Engine,
  model: ModelFolder,
  weights: Weights,
  catalogue: Catalogue,
  seed: number,
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

/** What went wrong with content, if anything did: vectors that all point one way, or titles that lost their pictures. */
export function contentWarnings(
  before: Record<string, number>,
  after: Record<string, number>,
  retention: number,
): string[] {
  const warnings = []
  const { mean_cosine: cosine, title_to_image_recall_10: recall } = after
  if (isCollapsed(cosine))
    warnings.push(`the vectors have collapsed: mean cosine ${cosine.toFixed(3)}; lower the learning rate`)
  const kept = recall / before['title_to_image_recall_10']
  if (kept < retention) {
    const share = `${(100 * kept).toFixed(0)} %`
    const remedy = 'raise levels.alignment or levels.distillation'
    warnings.push(`title → picture recall@10 is ${share} of stage 1's; ${remedy}`)
  }
  return warnings
}

function recallTask({ kind, ranks }: Judged, ranksBefore: Float64Array): RecallTask {
  const ks = [1, 10, 50]
  const [before, after] = [recallAtK(ranksBefore, ks), recallAtK(ranks, ks)]
  const recalls = ks.map((k, i) => ({ k, before: before[i], after: after[i] }))
  return { title: `Query: ${kind}`, hint: `${ranks.length} queries of the test period`, recalls }
}

/** The figures that a line has room for. */
const text = (metrics: Record<string, number>) =>
  Object.entries(metrics)
    .filter(([name]) => isPrinted(name))
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(', ')
