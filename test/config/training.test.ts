import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ctrConfig } from '../../src/config/ctr.js'
import { loadConfig } from '../../src/config/load.js'
import { pretrainConfig } from '../../src/config/pretrain.js'
import type { UserError } from '../../src/errors.js'

test('when train.accumulate does not divide the batch of pairs then the error says so', () => {
  for (const sets of [
    ['train.batch=32', 'train.accumulate=5'],
    ['train.batch=4', 'train.accumulate=4'],
  ]) {
    assert.throws(
      () => loadConfig(pretrainConfig, { sets }),
      (error: UserError) => error.id === 'config' && error.message.includes('train.accumulate'),
    )
  }
  assert.equal(loadConfig(pretrainConfig, { sets: ['train.accumulate=8'] }).train.accumulate, 8)
})

test('when an optimiser is misspelt then the error lists those that there are', () => {
  for (const option of ['train.optimizer', 'train.tableOptimizer']) {
    assert.throws(
      () => loadConfig(ctrConfig, { sets: [`${option}=adagard`] }),
      (error: UserError) =>
        error.id === 'config' && error.message.includes(option) && error.message.includes('"adagrad"'),
    )
  }
})
