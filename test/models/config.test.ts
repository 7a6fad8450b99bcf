import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseModelConfig } from '../../src/models/config.js'

const parse = (json: unknown) => parseModelConfig(json, 'config.json')

describe('config.json', () => {
  test('when everything is left out then CLIP is ViT-B/32, as in transformers', () => {
    assert.deepEqual(parse({ model_type: 'clip' }), {
      architecture: 'clip',
      vision: {
        ...{ width: 768, layers: 12, heads: 12, hidden: 3072, activation: 'quick_gelu', epsilon: 1e-5 },
        ...{ imageSize: 224, patch: 32 },
      },
      text: {
        ...{ width: 512, layers: 12, heads: 8, hidden: 2048, activation: 'quick_gelu', epsilon: 1e-5 },
        ...{ vocabulary: 49408, positions: 77, tokenTypes: 2, padToken: 1, endToken: 49407 },
      },
      projection: 512,
      logitScale: 2.6592,
    })
  })

  test('when everything is left out then the text tower of Chinese-CLIP is BERT', () => {
    const { text } = parse({ model_type: 'chinese_clip', vision_config: { patch_size: 16 } })
    assert.deepEqual(text, {
      ...{ width: 768, layers: 12, heads: 12, hidden: 3072, activation: 'gelu', epsilon: 1e-12 },
      ...{ vocabulary: 30522, positions: 512, tokenTypes: 2, padToken: 0, endToken: 0 },
    })
  })

  test('when a SigLIP says only which towers it has, as the published ones do, then these are of base size', () => {
    const { vision, text, projection } = parse({
      model_type: 'siglip',
      text_config: { model_type: 'siglip_text_model' },
      vision_config: { model_type: 'siglip_vision_model' },
    })
    const tower = { width: 768, layers: 12, heads: 12, hidden: 3072, activation: 'gelu_pytorch_tanh', epsilon: 1e-6 }
    assert.deepEqual(vision, { ...tower, imageSize: 224, patch: 16 })
    assert.deepEqual(text, {
      ...tower,
      ...{ vocabulary: 32000, positions: 64, tokenTypes: 2, padToken: 1, endToken: 49407 },
    })
    assert.equal(projection, 768)
  })

  test('when an early file of CLIP tells a tower twice then the part that ends in _dict counts', () => {
    const { vision, text } = parse({
      model_type: 'clip',
      text_config: { hidden_size: 512 },
      text_config_dict: { hidden_size: 768, num_attention_heads: 12 },
      vision_config: { patch_size: 14 },
      vision_config_dict: null,
    })
    assert.deepEqual([text.width, text.heads, vision.patch], [768, 12, 14])
  })

  test('when a value is not what we build then the error names its place', () => {
    const wrong = [
      [{ model_type: 'clip', vision_config: { hidden_act: 'swish' } }, /config\.json: vision_config\.hidden_act: /],
      [{ model_type: 'clip', text_config: { vocab_size: 'many' } }, /config\.json: text_config\.vocab_size: /],
      [{ model_type: 'siglip', vision_config: { vision_use_head: false } }, /vision_config\.vision_use_head: /],
      [
        { model_type: 'siglip', text_config: { projection_size: 512 } },
        /projection_size: 512 is not .*hidden_size 768/,
      ],
    ] as const
    for (const [json, message] of wrong) assert.throws(() => parse(json), { id: 'model-config', message })
    for (const json of [null, {}, { model_type: 'bert' }]) {
      assert.throws(() => parse(json), { id: 'model-architecture' })
    }
  })
})
