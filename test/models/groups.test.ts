import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoderGroups } from '../../src/models/groups.js'

const shapes: Record<string, number[]> = {
  'vision_model.embeddings.patch_embedding.weight': [8, 3, 4, 4],
  'vision_model.embeddings.position_embedding.weight': [17, 8],
  'vision_model.embeddings.class_embedding': [8],
  'vision_model.pre_layrnorm.weight': [8],
  'vision_model.encoder.layers.0.mlp.fc1.weight': [16, 8],
  'vision_model.encoder.layers.2.mlp.fc1.bias': [16],
  'vision_model.encoder.layers.3.layer_norm1.weight': [8],
  'vision_model.post_layernorm.weight': [8],
  'text_model.embeddings.position_embeddings.weight': [12, 8],
  'text_model.embeddings.word_embeddings.weight': [99, 8],
  'text_model.encoder.layer.0.attention.output.dense.weight': [8, 8],
  'text_model.encoder.layer.1.output.LayerNorm.bias': [8],
  'visual_projection.weight': [8, 8],
  'fusion.weight': [8, 16],
  logit_scale: [],
}
const names = Object.keys(shapes)
const groupOf = (options: { weightDecay: number; layerDecay: number }) => {
  const group = encoderGroups(names, options)
  return (name: string) => group(name, shapes[name])
}

test('when weights decay then biases, norms, scalars and positions do not', () => {
  const group = groupOf({ weightDecay: 0.1, layerDecay: 1 })
  assert.deepEqual(
    names.filter((name) => group(name).weightDecay === 0.1),
    [
      'vision_model.embeddings.patch_embedding.weight',
      'vision_model.encoder.layers.0.mlp.fc1.weight',
      'text_model.embeddings.word_embeddings.weight',
      'text_model.encoder.layer.0.attention.output.dense.weight',
      'visual_projection.weight',
      'fusion.weight',
    ],
  )
  assert.ok(names.every((name) => group(name).rateFactor === 1))
})

test('when rates fall by layer then each tower counts down from its own top', () => {
  const group = groupOf({ weightDecay: 0, layerDecay: 0.5 })
  const factors = Object.fromEntries(names.map((name) => [name, group(name).rateFactor]))
  assert.deepEqual(factors, {
    'vision_model.embeddings.patch_embedding.weight': 1 / 32,
    'vision_model.embeddings.position_embedding.weight': 1 / 32,
    'vision_model.embeddings.class_embedding': 1 / 32,
    'vision_model.pre_layrnorm.weight': 1 / 32,
    'vision_model.encoder.layers.0.mlp.fc1.weight': 1 / 16,
    'vision_model.encoder.layers.2.mlp.fc1.bias': 1 / 4,
    'vision_model.encoder.layers.3.layer_norm1.weight': 1 / 2,
    'vision_model.post_layernorm.weight': 1,
    'text_model.embeddings.position_embeddings.weight': 1 / 8,
    'text_model.embeddings.word_embeddings.weight': 1 / 8,
    'text_model.encoder.layer.0.attention.output.dense.weight': 1 / 4,
    'text_model.encoder.layer.1.output.LayerNorm.bias': 1 / 2,
    'visual_projection.weight': 1,
    'fusion.weight': 1,
    logit_scale: 1,
  })
})
