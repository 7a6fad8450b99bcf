import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { categoryPrompts, collapsedViews, judgeVectors, retrieval } from '../../../src/stages/pretrain/judge.js'

const [count, d] = [40, 8]

/** Random unit vectors. */
function drawn(seed: string): Float32Array {
  const random = Random.of(seed)
  return unit(Float32Array.from({ length: count * d }, () => random.normal()))
}

function unit(x: Float32Array): Float32Array {
  const length = (i: number) => Math.hypot(...x.subarray(i * d, (i + 1) * d))
  return x.map((value, k) => value / length(Math.floor(k / d)))
}

const category = Int32Array.from({ length: count }, (_, i) => i % 4)
const image = drawn('pictures')
const whole = { image, text: image, fused: image, fromImage: image, fromText: drawn('other'), prompts: undefined }

test('when a part of an item has its vector then it is found first, and a part that has not by chance', () => {
  const found = judgeVectors(whole, category, 'both')
  assert.deepEqual([found['image_to_item_recall_1'], found['image_to_item_median_rank']], [1, 1])
  assert.equal(found['alignment'], 0)
  assert.ok(found['title_to_item_recall_10'] < 0.6 && found['title_to_item_mrr'] < 0.3)
})

test('when items of a category lie together then prompts and neighbors tell it', () => {
  const corners = Float32Array.from({ length: 4 * d }, (_, k) => (k % d === Math.floor(k / d) ? 1 : 0))
  const near = image.map((value, k) => value / 10 + (k % d === category[Math.floor(k / d)] ? 1 : 0))
  const found = judgeVectors({ ...whole, image: unit(near), prompts: corners }, category, 'both')
  assert.deepEqual([found['zero_shot_accuracy'], found['category_accuracy_image']], [1, 1])
  assert.ok(found['category_accuracy_title'] < 0.6)
  assert.equal(found['category_majority'], 1 / 4)
  assert.equal('zero_shot_accuracy' in judgeVectors(whole, category, 'both'), false)
})

test('when all vectors are nearly the same then they have collapsed', () => {
  const same = unit(image.map((value, k) => value / 50 + (k % d === 0 ? 1 : 0)))
  const found = judgeVectors({ ...whole, text: same }, category, 'both')
  assert.deepEqual(collapsedViews(found), ['title'])
  assert.ok(found['uniformity_title'] > -0.1 && found['uniformity_image'] < -1)
})

test('when a catalogue has titles alone then only titles and whole items are judged', () => {
  const found = Object.keys(judgeVectors(whole, new Int32Array(count).fill(-1), 'text'))
  assert.deepEqual(found, ['uniformity_title', 'uniformity_fused', 'mean_cosine_title', 'mean_cosine_fused'])
})

test('when categories have names then each is put into the prompt, and numbers are not', () => {
  const items = (type: string, ...categoryNames: string[]) => ({
    table: { columns: new Map([['kind', type]]) },
    categoryNames,
  })
  const named = items('VARCHAR', 'hat', 'bag $&')
  assert.deepEqual(categoryPrompts(named, 'kind', 'a {}, one {}'), ['a hat, one hat', 'a bag $&, one bag $&'])
  assert.deepEqual(categoryPrompts(items('BIGINT', '7'), 'kind', 'a {}'), [])
  assert.deepEqual(categoryPrompts(items('VARCHAR'), 'other', 'a {}'), [])
})

test('when vectors are shifted by one then each finds another, at the place that the metrics tell', () => {
  const shifted = new Float32Array(image.length)
  shifted.set(image.subarray(d))
  shifted.set(image.subarray(0, d), image.length - d)
  const found = retrieval('shifted', shifted, image, count)
  assert.equal(found['shifted_recall_1'], 0)
  assert.ok(found['shifted_median_rank'] > 5)
})
