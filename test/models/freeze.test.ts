import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseModelConfig } from '../../src/models/config.js'
import { type Freeze, frozenBy } from '../../src/models/freeze.js'

const config = parseModelConfig({ model_type: 'clip' }, '')
const names = [
  'vision_model.embeddings.class_embedding',
  'vision_model.pre_layrnorm.weight',
  'vision_model.encoder.layers.0.mlp.fc1.weight',
  'vision_model.encoder.layers.10.mlp.fc1.weight',
  'vision_model.post_layernorm.weight',
  'visual_projection.weight',
  'text_model.embeddings.word_embeddings.weight',
  'text_model.encoder.layer.1.output.dense.weight',
  'text_model.final_layer_norm.weight',
  'text_projection.weight',
  'fusion.weight',
  'logit_scale',
]
const frozen = (freeze: Partial<Freeze>, newProjection = false) =>
  names.filter(frozenBy({ vision: 'none', text: 'none', ...freeze }, config, newProjection))

test('when nothing is frozen then everything learns', () => {
  assert.deepEqual(frozen({}), [])
})

test('when a tower is frozen then so is its projection, unless that is new', () => {
  assert.deepEqual(frozen({ vision: 'all' }), names.slice(0, 6))
  assert.deepEqual(frozen({ vision: 'all' }, true), names.slice(0, 5))
  assert.deepEqual(frozen({ text: 'all' }), names.slice(6, 10))
})

test('when blocks are frozen then so is what lies below them, in BERT too', () => {
  assert.deepEqual(frozen({ vision: 0 }), names.slice(0, 2))
  assert.deepEqual(frozen({ vision: 1 }), names.slice(0, 3))
  assert.deepEqual(frozen({ vision: 11, text: 2 }), [...names.slice(0, 4), ...names.slice(6, 8)])
})

test('when more blocks are to be frozen than there are then it is refused', () => {
  assert.throws(() => frozen({ text: 13 }), { id: 'freeze-blocks', message: /freeze\.text 13, .+ has 12 blocks/ })
})
