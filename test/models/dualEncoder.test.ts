import assert from 'node:assert/strict'
import { test } from 'node:test'
import { initialValues } from '../../src/engine/state.js'
import { parseModelConfig } from '../../src/models/config.js'
import { wordFeatures } from '../../src/models/dualEncoder.js'
import { Parameters } from '../../src/nn/parameters.js'
import { input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const tower = { hidden_size: 4, num_attention_heads: 2, intermediate_size: 8 }
const text = { ...tower, vocab_size: 12, max_position_embeddings: 6 }
/** Texts of each architecture, and which of their tokens are words. */
const cases = {
  clip: {
    text: { ...text, eos_token_id: 11, pad_token_id: 11 },
    ids: [
      [10, 3, 5, 5, 11, 11],
      [10, 1, 2, 3, 4, 11],
      [10, 11, 11, 11, 11, 11],
    ],
    words: [[3, 5, 5], [1, 2, 3, 4], []],
  },
  // Published so: the highest id marks the end, and what follows it is no word.
  'clip that says 2': {
    text: { ...text, eos_token_id: 2, pad_token_id: 0 },
    ids: [
      [10, 3, 5, 11, 0, 0],
      [10, 1, 2, 3, 4, 11],
    ],
    words: [
      [3, 5],
      [1, 2, 3, 4],
    ],
  },
  chinese_clip: {
    text: { ...text, pad_token_id: 0 },
    ids: [
      [10, 3, 5, 5, 11, 0],
      [10, 1, 2, 3, 4, 11],
      [10, 11, 0, 0, 0, 0],
    ],
    words: [[3, 5, 5], [1, 2, 3, 4], []],
  },
  siglip: {
    text: { ...text, pad_token_id: 1, eos_token_id: 1 },
    ids: [
      [3, 5, 5, 1, 1, 1],
      [9, 8, 2, 3, 4, 1],
      [1, 1, 1, 1, 1, 1],
    ],
    words: [[3, 5, 5], [9, 8, 2, 3, 4], []],
  },
}

await onEachEngine('words', (engine) => {
  for (const [name, { text, ids, words }] of Object.entries(cases)) {
    test(`when texts of ${name} are read then words are the mean of their tokens, about that of all`, () => {
      const json = { model_type: name.split(' ')[0], vision_config: tower, text_config: text }
      const p = new Parameters()
      const config = parseModelConfig(json, 'config.json')
      const features = program({ y: wordFeatures(p, input('ids', [-1, 6], 'int32'), config) })
      const [table, ...others] = p.list()
      assert.deepEqual([table.shape, others.length], [[12, 4], 0])
      const values = initialValues(table, 1)
      const session = engine.open({ features }, [{ name: table.name, shape: table.shape, dtype: 'float32' }])
      session.write(table.name, values)
      const { y } = session.run('features', { ids: { data: Int32Array.from(ids.flat()), shape: [ids.length, 6] } })
      session.dispose()

      const column = (rows: readonly number[], k: number) => rows.reduce((sum, row) => sum + values[row * 4 + k], 0)
      for (const [i, tokens] of words.entries()) {
        for (let k = 0; k < 4; k++) {
          const center = column([...Array(12).keys()], k) / 12
          const expected = tokens.length === 0 ? 0 : column(tokens, k) / tokens.length - center
          assert.ok(Math.abs(y.data[i * 4 + k] - expected) < 1e-6, `text ${i}, number ${k}`)
        }
      }
    })
  }
})
