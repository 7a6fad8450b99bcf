import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isGreaterBetter } from '../../src/train/monitor.js'

test('when metrics have kinds and places in their names then the better direction is known', () => {
  const names = ['valid_recall_10_image', 'image_to_title_recall_1', 'view_mrr', 'valid_gauc', 'valid_auc_unseen']
  for (const name of names) assert.equal(isGreaterBetter(name, names), true, name)
  const losses = ['valid_logloss', 'view_median_rank', 'valid_ece']
  for (const name of losses) assert.equal(isGreaterBetter(name, losses), false, name)
})
