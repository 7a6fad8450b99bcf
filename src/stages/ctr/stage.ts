/** Stage `ctr`: trains and tests a click model, CiUBM (ids and content interest) or one of its baselines. */
import type { CtrConfig } from '../../config/ctr.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import { DataFacts } from '../../data/facts.js'
import { Database } from '../../data/tables/duckdb.js'
import { shareArrays } from '../../data/tables/sharedMemory.js'
import { openEngine } from '../../engine/index.js'
import { exportClickModel } from '../../runtime/clickModel.js'
import { train } from '../../train/loop.js'
import type { Run } from '../../train/run.js'
import { ctrFeatures } from './batch.js'
import { checkLeaks } from './describe.js'
import { loadDataset, saveFeatures } from './load.js'
import { requireTableMemory } from './memory.js'
import { requireProbabilities } from './predict.js'
import { showClicks, testMetrics, writePredictions } from './results.js'
import { CtrTask, validMetrics } from './task.js'

export async function ctr(config: CtrConfig, run: Run): Promise<Record<string, unknown>> {
  requireTableMemory(config)
  using db = await Database.open({ memory: config.data.memory, temporary: run.path('temporary') })
  const facts = new DataFacts()
  const data = shareArrays(await loadDataset(db, config, { facts }))
  run.tell(facts)
  try {
    return await trainAndTest(db, data, config, run)
  } finally {
    data.store.close()
  }
}

async function trainAndTest(db: Database, data: CtrDataset, config: CtrConfig, run: Run) {
  const loaded = run.seconds
  checkLeaks(data, config, run)
  const engine = await openEngine(config, (line) => run.say(line))
  const task = new CtrTask(engine, data, config)
  try {
    const { stepsPerEpoch } = task
    const steps = task.allSteps
    const result = await train(
      task,
      {
        ...config.train,
        steps,
        evaluateEvery: config.train.evaluateEvery || stepsPerEpoch,
        monitor: config.train.monitor ?? 'valid_auc',
        metrics: validMetrics,
      },
      run,
    )
    const trained = run.seconds
    await saveFeatures(db, data, run.path('checkpoint'))
    await exportClickModel(run.path('checkpoint'), ctrFeatures(data), config, run.path('onnx'))
    task.loadModel(run.path('checkpoint'))
    const scores = task.predict(data.split.test)
    requireProbabilities(scores, data.split.test.from, run.path('checkpoint'))
    await writePredictions(db, data, scores, run.path('predictions.parquet'))
    const metrics = testMetrics(data, scores, config.evaluation)
    await run.show(() => showClicks(data, scores, metrics))
    return {
      model: config.model.name,
      ...metrics,
      ...result.best,
      best_step: result.bestStep,
      steps: result.steps,
      stopped: result.stopped,
      engine: engine.name,
      load_seconds: loaded,
      load_rows_per_second: data.impressions.rows / loaded,
      train_rows_per_second: result.samplesPerSecond,
      train_seconds: trained,
      seconds: run.seconds,
    }
  } finally {
    await task.close()
  }
}
