import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import type { CtrColumns } from '../../../src/data/clicks/columns.js'
import { withSearch } from '../../../src/data/vectors/search.js'
import { searchBehaviors } from '../../../src/stages/ctr/search.js'
import { differing } from '../../data/differing.js'

const [items, width, length, rows, topK] = [400, 24, 600, 20, 10]
const random = Random.of('behaviorSearch')

/** Unit vectors about twenty centers; item 0 has none. */
const centers = Array.from({ length: 20 }, () => Array.from({ length: width }, () => random.normal()))
const vectors = new Float32Array((items + 1) * width)
for (let row = 1; row <= items; row++) {
  const vector = centers[row % 20].map((x) => x + 0.7 * random.normal())
  const norm = Math.hypot(...vector)
  vectors.set(
    vector.map((x) => x / norm),
    row * width,
  )
}
const rowOf = Int32Array.from({ length: items }, (_, item) => item)
const content = withSearch({ vectors, width, rowOf })
const cosine = (a: number, b: number) => {
  let sum = 0
  for (let i = 0; i < width; i++) sum += vectors[a * width + i] * vectors[b * width + i]
  return sum
}

const item = Int32Array.from({ length: rows }, (_, row) => (row === 0 ? 0 : 1 + random.int(items - 1)))
const events = Int32Array.from({ length: rows * length }, () => random.int(items))
const historyStart = item.map((_, row) => row * length)
const historyEnd = historyStart.map((start) => start + length)
const nothing = new Float64Array(0)
const data: CtrColumns = {
  impressions: {
    item,
    behaviorItem: events,
    historyStart,
    historyEnd,
    label: new Uint8Array(rows),
    weight: new Float32Array(0),
    time: nothing,
    behaviorTime: nothing,
  },
  impressionFeatures: [],
  itemFeatures: [],
  behaviorFeatures: [],
  gap: false,
  trainCount: new Int32Array(items),
  content,
}
const found = searchBehaviors(data, Int32Array.from(item.keys()), { kind: 'soft', topK, feature: '' })
const ofRow = (row: number) => found.behavior.filter((_, i) => found.owner[i] === row)

test('when a long history is searched then what is left is nearly as near as the nearest, oldest first', () => {
  let [sum, best, shared] = [0, 0, 0]
  for (let row = 1; row < rows; row++) {
    const kept = ofRow(row)
    assert.equal(kept.length, topK)
    assert.deepEqual(
      [...kept],
      [...kept].sort((a, b) => a - b),
    )
    const all = Array.from({ length }, (_, i) => historyStart[row] + i)
    const nearest = all.sort((a, b) => cosine(events[b], item[row]) - cosine(events[a], item[row])).slice(0, topK)
    sum += kept.reduce((total, e) => total + cosine(events[e], item[row]), 0)
    best += nearest.reduce((total, e) => total + cosine(events[e], item[row]), 0)
    shared += nearest.filter((e) => kept.includes(e)).length
  }
  assert.ok(sum > 0.98 * best, `${sum} of ${best}`)
  assert.ok(shared > 0.85 * topK * (rows - 1), `${shared} of ${topK * (rows - 1)}`)
})

test('when the target has no vector then the latest behaviors are left', () => {
  assert.deepEqual(
    [...ofRow(0)],
    Array.from({ length: topK }, (_, i) => length - topK + i),
  )
})

test('when two sketches are compared then the share of signs that differ follows the angle', () => {
  const { sketches: all } = content.search
  assert.equal(differing(all, 5, 5), 0)
  const pairs = Array.from({ length: 300 }, () => [1 + random.int(items - 1), 1 + random.int(items - 1)])
  const errors = pairs.map(([a, b]) => differing(all, a, b) / 128 - Math.acos(Math.min(1, cosine(a, b))) / Math.PI)
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length
  assert.ok(Math.abs(mean) < 0.02, `mean error ${mean}`)
  assert.ok(Math.max(...errors.map(Math.abs)) < 0.2)
})
