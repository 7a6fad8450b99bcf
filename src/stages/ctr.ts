/** Stage 3: the click model that joins ids and content interest (CiUBM), its baselines, and their evaluation. */
import type { CtrConfig } from '../config/ctr.js'
import { Database } from '../data/duckdb.js'
import { openEngine } from '../engine/index.js'
import { train } from '../train/loop.js'
import type { Run } from '../train/run.js'
import { describe, loadDataset } from './ctrData.js'
import { showClicks, testMetrics, writePredictions } from './ctrResults.js'
import { CtrTrainee } from './ctrTrainee.js'

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
  const metrics = testMetrics(data, scores)
  await run.show(() => showClicks(data, scores, metrics))
  return {
    model: config.model.name,
    ...metrics,
    ...result.best,
    best_step: result.bestStep,
    steps: result.steps,
    engine: engine.name,
    train_seconds: trained,
    seconds: (Date.now() - started) / 1000,
  }
}
