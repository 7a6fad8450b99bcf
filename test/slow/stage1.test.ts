import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import { adapt, place, pretrain, start, weights } from '../checkpoint/adapting.js'
import { rewriteWeights, tensorsOf } from '../checkpoint/folders.js'
import { sharedFile } from '../fixtures.js'
import { refusal, setArguments } from '../refusal.js'

const ours = (path: string) => tensorsOf(join(path, 'mim.safetensors'))

describe('Parts of a checkpoint that are frozen', () => {
  for (const ema of [0, 0.9]) {
    test(`when a tower is frozen and averages keep ${ema} then it stays to the bit, and the rest learns`, async () => {
      const init = place(`half ${ema}`)
      rewriteWeights(start, init, { dtype: 'F16', shards: 1, extra: [] })
      const options = { 'freeze.vision': 'all', 'freeze.text': 0, 'train.ema': ema, 'train.microBatch': ema ? 8 : 0 }
      const { checkpoint } = await adapt(`frozen ${ema}`, 1, options, init)
      const [from, to] = [weights(init), weights(checkpoint)]
      for (const [name, { dtype, bytes }] of from) {
        const isFrozen = /^(vision_model|visual_projection|text_model\.embeddings)\./.test(name)
        // It adds the same to all scores of a query, which changes no softmax: nothing but rounding would move it.
        if (!isFrozen && name.endsWith('k_proj.bias')) continue
        assert.equal(dtype === to.get(name)!.dtype && bytes.equals(to.get(name)!.bytes), isFrozen, name)
      }
    })
  }
})

describe('Objectives of stage 1', () => {
  test('when a CLIP learns pair by pair and by prefixes then the folder tells, and goes on from there', async () => {
    const options = { loss: 'sigmoid', matryoshka: [4, 8], 'train.learningRate': 0.01 }
    const { checkpoint } = await adapt('sigmoid', 1, options)
    const mim = JSON.parse(readFileSync(join(checkpoint, 'mim.json'), 'utf8'))
    assert.deepEqual([mim.matryoshka, mim.fusion], [[4, 8], { width: 12 }])
    const file = new SafetensorsFile(join(checkpoint, 'mim.safetensors'))
    const bias = file.floats('sigmoid.logit_bias')[0]
    file.close()
    assert.ok(Math.abs(bias + 10) < 1 && bias !== -10, `learned: ${bias}`)
    const again = await adapt('sigmoid again', 0, { loss: 'sigmoid' }, checkpoint)
    assert.deepEqual(ours(again.checkpoint), ours(checkpoint))
    assert.deepEqual(weights(again.checkpoint), weights(checkpoint))
    await refusal(
      [...pretrain, '--init', start, ...setArguments({ matryoshka: [4, 12] })],
      place('refused'),
      'matryoshka-size',
    )
  })

  const { path, skip } = sharedFile('fixtures/hf-siglip')
  test('when a SigLIP learns and no loss is named then its own bias does', { skip }, async () => {
    const { checkpoint } = await adapt('siglip', 1, {}, path)
    const bias = (of: string) => weights(of).get('logit_bias')!.bytes.readFloatLE()
    assert.notEqual(bias(checkpoint), bias(path))
  })
})
