import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelCard } from '../../src/checkpoint/card.js'
import { parseModelConfig } from '../../src/models/config.js'

test('when a checkpoint comes from the hub and may be truncated then its card says both', () => {
  const made = {
    stage: 'pretrain',
    init: 'hf:shop/encoder@v1',
    data: [],
    config: 'c0ffee',
    mim: '1.0.0',
    revision: 'abc',
  }
  const config = parseModelConfig({ model_type: 'siglip' }, '')
  const card = modelCard({ config, mim: { matryoshka: [32, 64], provenance: [made] } })
  assert.match(card, /\nbase_model: shop\/encoder\n/)
  assert.match(card, /truncated to 32, 64 dimensions/)
  assert.match(card, /Made by `mim pretrain` 1\.0\.0, revision abc, configuration c0ffee\./)
  assert.doesNotMatch(card, /mim\.safetensors/)
})
