import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPrinted, labelOf, meaningOf, metricOf, splitName } from '../../src/metrics/index.js'

test('when a name has a variant then it is split off, and the metric is the same', () => {
  assert.deepEqual(splitName('valid_recall_10_image'), { variant: 'valid', metric: 'recall_10_image' })
  assert.deepEqual(splitName('validity'), { metric: 'validity' })
  assert.deepEqual(metricOf('after_mrr'), metricOf('mrr'))
})

test('when a name has numbers and kinds then its texts have them too', () => {
  assert.equal(labelOf('valid_recall_50'), 'query → chosen item, recall@50')
  assert.match(meaningOf('recall_10_image_unseen'), /among the first 10, for queries by image and items that nobody/)
  assert.match(meaningOf('recall_10_query'), /queries by picture or text$/)
  assert.deepEqual(metricOf('valid_recall_5_text')!.chart, { title: 'recall@5', line: 'text' })
})

test('when less of a metric is better then its meaning says so, with the unit', () => {
  assert.equal(meaningOf('logloss'), 'log loss per impression (nats); lower is better')
  assert.doesNotMatch(meaningOf('auc'), /better/)
})

test('when a name has no definition then it has no meaning, and its label is the name in words', () => {
  assert.equal(metricOf('valid_acu'), undefined)
  assert.equal(meaningOf('toString'), '')
  assert.equal(labelOf('valid_top_recall_5'), 'top recall@5')
})

test('when an evaluation of C-SFT is printed then it has the main metrics only', () => {
  const printed = ['recall_1', 'recall_10', 'recall_50', 'recall_10_image', 'recall_10_unseen', 'mean_cosine']
  for (const name of [...printed, 'title_to_image_recall_10', 'category_purity_10']) assert.ok(isPrinted(name), name)
  const others = ['recall_100', 'recall_50_image', 'recall_10_query_unseen', 'mrr', 'mrr_image', 'mean_cosine_image']
  for (const name of others) assert.ok(!isPrinted(name), name)
})

test('when the metrics of a catalogue of one modality and of merged shards are looked up then each has a meaning', () => {
  // The stages of test/report/stages.test.ts, which checks all that they write, do not write these.
  const names = ['view_recall_1', 'view_median_rank', 'view_mrr', 'shards', 'gone', 'id_share', 'auc_without_vector']
  for (const name of names) assert.ok(meaningOf(name), name)
})
