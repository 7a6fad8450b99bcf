import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { sftConfig } from '../../../src/config/sft.js'
import type { Engine, Value } from '../../../src/engine/index.js'
import { initialValues } from '../../../src/engine/state.js'
import { rowLayout, type SftSizes } from '../../../src/models/sft/layout.js'
import { queueVariable } from '../../../src/models/sft/vectors.js'
import { Parameters } from '../../../src/nn/parameters.js'
import { momentumAt, momentumOf, sftTraining } from '../../../src/stages/sft/training.js'
import { onEachEngine } from '../../engines.js'
import { shape } from '../../models/tinyEncoder.js'

const complete: SftSizes = { image: 2, text: 1, product: 2, hard: 2, queue: 10, towers: ['image', 'text'] }
const batch = rowLayout(complete).batch

/** The same inputs for the same step; without picture queries, no item has a picture. */
function inputs(step: number, sizes: SftSizes): Record<string, Value> {
  const random = Random.of('inputs', step)
  const uniform = (...of: number[]): Value => {
    const size = of.reduce((a, b) => a * b, 1)
    return { data: Float32Array.from({ length: size }, () => random.uniform() - 0.5), shape: of }
  }
  const flags = (n: number, on: number): Value => ({ data: new Float32Array(n).fill(on), shape: [n] })
  const ones = (n: number) => flags(n, 1)
  const pictures = Math.sign(sizes.image)
  const ids = Int32Array.from({ length: rowLayout(sizes).tower.text.count * 4 }, (_, i) =>
    i % 4 === 3 ? 19 : 1 + random.int(18),
  )
  const bias = new Float32Array(batch * (batch + sizes.hard + sizes.queue))
  // The queue fills up as in training: what is empty is out.
  for (let i = 0; i < bias.length; i++)
    if (i % (batch + sizes.hard + sizes.queue) >= batch + sizes.hard + step * batch) bias[i] = -1e9
  return {
    pixel_values: uniform(rowLayout(sizes).tower.image.count, 3, 8, 8),
    input_ids: { data: ids, shape: [rowLayout(sizes).tower.text.count, 4] },
    product_has_image: flags(sizes.product, pictures),
    product_has_text: ones(sizes.product),
    item_has_image: flags(batch + sizes.hard, pictures),
    item_has_text: ones(batch + sizes.hard),
    bias: { data: bias, shape: [batch, batch + sizes.hard + sizes.queue] },
    row_weights: ones(batch),
    item_group: { data: Int32Array.from({ length: batch }, (_, i) => i), shape: [batch] },
    first_vectors: uniform(batch, 5),
    queue_places: { data: Int32Array.from({ length: batch }, (_, i) => (step % 2) * batch + i), shape: [batch] },
  }
}

/** Losses of steps, and the whole state after them. */
function trained(engine: Engine, microBatch: number, sizes = complete, steps = 3) {
  const options = sftConfig.parse({
    negatives: { momentum: 0.5 },
    levels: { distillation: 1 },
    // Plain descent: Adam would make much of what is rounding.
    train: { microBatch, optimizer: 'sgd', momentum: 0, clipNorm: 0, weightDecay: 0 },
  })
  const { programs, parameters, state, scratch, start, step } = sftTraining(new Parameters(), shape, sizes, options)
  const session = engine.open(programs, [...state, ...scratch])
  for (const parameter of parameters) {
    const values = initialValues(parameter, 7)
    start(session, parameter.name, values)
    if (state.some(({ name }) => name === momentumOf(parameter.name))) session.write(momentumOf(parameter.name), values)
  }
  const losses = Array.from({ length: steps }, (_, n) => step(session, inputs(n, sizes), n, 0.1))
  const values = new Map(state.map(({ name }) => [name, session.read(name)]))
  session.dispose()
  return { losses, values }
}

await onEachEngine('a step of C-SFT', (engine) => {
  test('when it goes through the encoders in pieces then loss, gradient, queue and momentum are those of the whole', () => {
    const [whole, pieces] = [trained(engine, 0), trained(engine, 3)]
    for (const [n, { loss, named }] of whole.losses.entries()) {
      assert.ok(Math.abs(pieces.losses[n].loss - loss) < 1e-5 * loss, `step ${n}: ${pieces.losses[n].loss}, ${loss}`)
      assert.deepEqual(Object.keys(pieces.losses[n].named), Object.keys(named))
    }
    assert.deepEqual([...pieces.values.keys()].sort(), [...whole.values.keys()].sort())
    for (const [name, expected] of whole.values) {
      const found = pieces.values.get(name)!
      const worst = Math.max(...Array.from(expected, (x, i) => Math.abs(x - found[i])))
      assert.ok(worst < 1e-5, `${name}: ${worst}`)
    }
  })

  for (const microBatch of [0, 3]) {
    test(`when there are no pictures then losses and vectors are the same without their tower (microBatch ${microBatch})`, () => {
      const bare: SftSizes = { ...complete, image: 0, text: 3 }
      const [run, spared] = [
        trained(engine, microBatch, bare),
        trained(engine, microBatch, { ...bare, towers: ['text'] }),
      ]
      for (const [n, { loss }] of run.losses.entries())
        assert.ok(Math.abs(spared.losses[n].loss - loss) < 1e-6 * loss, `step ${n}: ${spared.losses[n].loss}, ${loss}`)
      // Of stage 1's own loss, which compares the two, nothing is left.
      const names = [...run.values.keys()].filter((name) => !/vision_|visual_|(^|\/|momentum\.)logit_scale/.test(name))
      assert.deepEqual([...spared.values.keys()].sort(), names.sort())
      for (const name of names) {
        const [expected, found] = [run.values.get(name)!, spared.values.get(name)!]
        const worst = Math.max(...Array.from(expected, (x, i) => Math.abs(x - found[i])))
        assert.ok(worst < 1e-6, `${name}: ${worst}`)
      }
    })
  }

  for (const kind of ['image', 'text', 'product'] as const) {
    test(`when all queries are of the kind ${kind} then a step goes through`, () => {
      const { losses } = trained(engine, 0, { ...complete, image: 0, text: 0, product: 0, [kind]: batch })
      for (const { loss } of losses) assert.ok(Number.isFinite(loss) && loss > 0, `${loss}`)
    })
  }

  test('when a step is done then its items are in the queue as the momentum encoder saw them, and this follows', () => {
    const { values, losses } = trained(engine, 0)
    const queue = values.get(queueVariable)!
    for (let row = 0; row < complete.queue; row++) {
      const norm = Math.hypot(...queue.subarray(row * 5, (row + 1) * 5))
      assert.ok(Math.abs(norm - 1) < 1e-4, `row ${row}: ${norm}`)
    }
    assert.deepEqual(Object.keys(losses[0].named), [
      'loss_fused',
      'loss_image',
      'loss_text',
      'loss_alignment',
      'loss_distillation',
    ])
  })

  test('when the momentum encoder follows then it keeps little in the first steps, and never more than the option says', () => {
    const after = Array.from({ length: 6 }, (_, steps) => trained(engine, 0, complete, steps).values)
    for (const [step, kept] of [1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14].entries()) {
      const momentumEncoder = after[step].get(momentumOf('fusion.weight'))!
      const [own, now] = ['fusion.weight', momentumOf('fusion.weight')].map((name) => after[step + 1].get(name)!)
      assert.ok(own.some((x, i) => Math.abs(x - now[i]) > 1e-6))
      const expected = momentumEncoder.map((x, i) => x + (1 - kept) * (own[i] - x))
      assert.ok(
        now.every((x, i) => Math.abs(x - expected[i]) < 1e-6),
        `step ${step}`,
      )
    }
    assert.equal(momentumAt(8, 0.5), 0.5)
    assert.equal(momentumAt(1e6, 0.999), 0.999)
  })
})
