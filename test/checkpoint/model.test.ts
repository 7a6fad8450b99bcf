import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sharedFile } from '../fixtures.js'
import { tensorsOf } from './folders.js'
import { adapt, json, place, weights } from './pretraining.js'

/** What Python reads as floats. */
const floatsOf = (...path: string[]) =>
  Array.from(readFileSync(join(...path), 'utf8').matchAll(/"(\w+)": -?\d+(?:\.\d|[eE])/g), ([, key]) => key)

describe('Checkpoints written without a step of training', () => {
  for (const name of ['hf-clip', 'hf-chinese_clip', 'hf-siglip']) {
    const { path, skip } = sharedFile(`fixtures/${name}`)
    test(`when ${name} is saved then its tensors, configuration and tokenizer are the same`, { skip }, async () => {
      const { steps } = await adapt(path, name, 0)
      assert.equal(steps, 0)
      const saved = place(`${name}/checkpoint`)
      assert.deepEqual(tensorsOf(join(saved, weights)), tensorsOf(join(path, weights)))
      for (const file of ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json']) {
        assert.deepEqual(json(saved, file), json(path, file), file)
        assert.deepEqual(floatsOf(saved, file), floatsOf(path, file), file)
      }
      assert.ok(existsSync(join(saved, 'mim.safetensors')), 'the fusion head lies beside them')
    })
  }
})
