import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { loadConfig } from '../../src/config/load.js'
import { pretrainConfig } from '../../src/config/pretrain.js'
import type { Engine, Value } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import type { DualEncoderConfig } from '../../src/models/config.js'
import type { EncoderShape, Modality } from '../../src/models/encoder.js'
import { Parameters } from '../../src/nn/parameters.js'
import { pretrainTraining } from '../../src/stages/pretrain/training.js'
import { onEachEngine } from '../engines.js'

const tower = { width: 16, layers: 2, heads: 2, hidden: 32, activation: 'gelu', epsilon: 1e-5 }
const config: DualEncoderConfig = {
  architecture: 'clip',
  vision: { ...tower, imageSize: 8, patch: 4 },
  text: { ...tower, tokenTypes: 2, vocabulary: 20, positions: 6, padToken: 0, endToken: 19 },
  projection: 8,
  logitScale: Math.log(10),
}
const shape: EncoderShape = { config, length: 6, fusion: 8 }

/** `batch` pairs of which some have equal titles, some equal pictures, and some lack a modality in the second view. */
function pairs(batch: number): Record<string, Value> {
  const random = Random.of('pairs')
  const floats = (size: number) => Float32Array.from({ length: size }, () => random.normal())
  const ids = (size: number, below: number) => Int32Array.from({ length: size }, () => random.int(below))
  const keepImage = Float32Array.from(ids(batch, 3), (drawn) => Math.min(drawn, 1))
  return {
    pixel_values: { data: floats(batch * 3 * 64), shape: [batch, 3, 8, 8] },
    input_ids: { data: ids(batch * 6, 20), shape: [batch, 6] },
    title_group: { data: ids(batch, batch), shape: [batch] },
    picture_group: { data: ids(batch, 2 * batch), shape: [batch] },
    keep_image: { data: keepImage, shape: [batch] },
    keep_text: { data: keepImage.map((kept, i) => (kept && i % 2 ? 0 : 1)), shape: [batch] },
  }
}

/** Two views of each title: all first ones, then all second ones. */
function views(batch: number): Record<string, Value> {
  const { input_ids, title_group, picture_group } = pairs(batch)
  const twice = Int32Array.from({ length: 2 * batch * 6 }, (_, i) => input_ids.data[i % (batch * 6)])
  return {
    input_ids: { data: twice.map((id, i) => (i % 7 === 0 ? 0 : id)), shape: [2 * batch, 6] },
    title_group,
    picture_group,
  }
}

/** Plain gradient descent of rate 1: a step takes the gradient off the parameters. */
const descent = { optimizer: 'sgd', momentum: 0 } as const

const options = (batch: number, microBatch: number) => {
  const { train, ...rest } = loadConfig(pretrainConfig, {})
  return { ...rest, train: { ...train, ...descent, clipNorm: 0, weightDecay: 0, batch, microBatch } }
}

/** Loss and gradients, by name, that a second step sees; the first must leave nothing behind but its update. */
function secondStep(engine: Engine, modalities: Modality | 'both', batch: number, microBatch: number) {
  const p = new Parameters()
  const training = pretrainTraining(p, shape, modalities, options(batch, microBatch))
  const session = engine.open(training.programs, [...training.state, ...training.scratch])
  for (const parameter of p.list()) training.start(session, parameter.name, initialValues(parameter, 3))
  const part = { inputs: modalities === 'both' ? pairs(batch) : views(batch), rows: batch }
  training.step(session, [part], 0, 0.01)
  const before = p.list().map(({ name }) => Float32Array.from(session.read(name)))
  const loss = training.step(session, [part], 1, 1)
  const gradients = p.list().map(({ name }, i) => {
    const after = session.read(name)
    return { name, values: before[i].map((x, j) => x - after[j]), rounding: 2 ** -22 * norm(before[i]) }
  })
  session.dispose()
  return { loss, gradients }
}

const norm = (x: Float32Array) => Math.hypot(...x)

await onEachEngine('GradCache', (engine) => {
  const cases: [Modality | 'both', number, number][] = [
    ['both', 10, 1],
    ['both', 10, 4],
    ['both', 10, 64],
    ['text', 10, 6],
  ]
  // The size that users want it for; on the plain engine it takes its time.
  if (engine.name === 'tensorflow') cases.push(['both', 1024, 64])
  for (const [modalities, batch, microBatch] of cases) {
    test(`when a batch of ${batch}, ${modalities}, goes by ${microBatch} through the encoders then the gradient is that of the whole`, () => {
      const whole = secondStep(engine, modalities, batch, 0)
      const cached = secondStep(engine, modalities, batch, microBatch)
      assert.ok(Math.abs(cached.loss - whole.loss) < 1e-5 * whole.loss, `loss ${cached.loss}, expected ${whole.loss}`)
      const size = Math.hypot(...whole.gradients.map(({ values }) => norm(values)))
      whole.gradients.forEach(({ name, values, rounding }, i) => {
        const gap = norm(values.map((x, j) => x - cached.gradients[i].values[j]))
        // A gradient is a difference of values here: a tiny one drowns in their rounding.
        const most = 1e-5 * Math.max(norm(values), 0.05 * size) + rounding
        assert.ok(gap < most, `${name}: ${gap} of ${norm(values)}`)
      })
    })
  }
})
