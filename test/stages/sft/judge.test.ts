import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Found, recallMetrics } from '../../../src/stages/sft/recall.js'

const found: Found[] = [
  { kind: 'image', targets: Int32Array.of(1, 2), ranks: Float64Array.of(0, 9) },
  { kind: 'text', targets: Int32Array.of(3), ranks: Float64Array.of(10) },
  { kind: 'product', targets: Int32Array.of(1, 4), ranks: Float64Array.of(99, 100) },
]

test('when ranks are known then recall and reciprocal rank are given by kind of query, and again for unseen items', () => {
  const metrics = recallMetrics(found, new Set([1, 2, 4]))
  const some = Object.fromEntries(Object.entries(metrics).filter(([name]) => /recall_10(_|$)|recall_100$/.test(name)))
  assert.deepEqual(some, {
    recall_10: 2 / 5,
    recall_100: 4 / 5,
    recall_10_query: 2 / 3,
    recall_10_image: 1,
    recall_10_text: 0,
    recall_10_product: 0,
    recall_10_unseen: 0,
    recall_10_query_unseen: 0,
    recall_10_text_unseen: 0,
  })
  assert.equal(metrics['mrr_image'], (1 + 1 / 10) / 2)
  assert.equal(metrics['mrr_unseen'], 1 / 11)
})

test('when all queries are products then there is no group of searches', () => {
  const names = Object.keys(recallMetrics([found[2]], new Set()))
  assert.ok(names.includes('recall_50_product') && !names.some((name) => name.includes('query')), names.join())
})
