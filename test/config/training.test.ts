import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserError } from '../../src/base/errors.js'
import { ctrConfig } from '../../src/config/ctr.js'
import { loadConfig } from '../../src/config/load.js'
import { pretrainConfig } from '../../src/config/pretrain.js'

test('when an optimizer is misspelled then the error lists those that there are', () => {
  for (const option of ['train.optimizer', 'train.tableOptimizer']) {
    assert.throws(
      () => loadConfig(ctrConfig, { sets: [`${option}=adagard`] }),
      (error: UserError) =>
        error.id === 'config' && error.message.includes(option) && error.message.includes('"adagrad"'),
    )
  }
})

test('when a prompt has no place for the category then it is refused', () => {
  assert.throws(
    () => loadConfig(pretrainConfig, { sets: ['evaluation.prompt=a photo'] }),
    (error: UserError) =>
      /^--set evaluation\.prompt=a photo: expected \{\} where the category goes/.test(error.message),
  )
})
