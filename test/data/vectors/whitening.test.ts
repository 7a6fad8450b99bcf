import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import type { ContentTable } from '../../../src/data/vectors/contentTable.js'
import { fitWhitening, whiten } from '../../../src/data/vectors/whitening.js'

const [items, width] = [4000, 6]

/** Vectors that huddle: one direction has ten times the variance of the next, and all lie off the origin. */
function table(type: 'float32' | 'int8' = 'float32'): ContentTable {
  const random = Random.of('huddled')
  const numbers = new Float32Array((items + 1) * width)
  for (let row = 1; row <= items; row++) {
    const hidden = Array.from({ length: width }, (_, k) => random.normal() / 3 ** k)
    for (let j = 0; j < width; j++) {
      numbers[row * width + j] = 2 + hidden.reduce((sum, x, k) => sum + x * Math.cos((j + 1) * (k + 2)), 0)
    }
  }
  const scale = type === 'int8' ? 8 / 127 : 1
  const vectors = type === 'int8' ? Int8Array.from(numbers, (x) => Math.round(x / scale)) : numbers
  return { width, vectors, type, scale, rows: items + 1, rowOf: Int32Array.from({ length: items }, (_, i) => i + 1) }
}

/** Σ x xᵀ of the rows of a table, but for row 0, over their number. */
function moments({ vectors, width, rows, scale }: ContentTable): number[] {
  const sums = new Array(width * width).fill(0)
  for (let row = 1; row < rows; row++) {
    for (let i = 0; i < width * width; i++) {
      const [a, b] = [vectors[row * width + Math.floor(i / width)], vectors[row * width + (i % width)]]
      sums[i] += (a * b * scale * scale) / (rows - 1)
    }
  }
  return sums
}

for (const type of ['float32', 'int8'] as const) {
  test(`when ${type} vectors are whitened then they have length 1 and no direction counts for more`, () => {
    const kept = type === 'int8' ? 2 : 4
    const content = table(type)
    const white = whiten(content, fitWhitening(content, content.rowOf, { kept, power: 1 }))
    assert.deepEqual([white.width, white.type], [kept, type])
    assert.ok(white.vectors.subarray(0, kept).every((x) => x === 0))
    const found = moments(white)
    assert.ok(Math.abs(found.reduce((sum, x, i) => (i % (kept + 1) === 0 ? sum + x : sum), 0) - 1) < 0.01)
    for (const [i, x] of found.entries()) {
      const expected = i % (kept + 1) === 0 ? 1 / kept : 0
      assert.ok(Math.abs(x - expected) < 0.02, `${i}: ${x}`)
    }
  })
}

test('when a direction has no variance then it is left out, and other rows than those named have no say', () => {
  const content = table()
  for (let row = 1; row <= items; row++) content.vectors[row * width + 5] = content.vectors[row * width]
  const named = content.rowOf.slice(0, 1000)
  const all = { kept: width, power: 1 }
  const whitening = fitWhitening(content, named, all)
  assert.equal(whitening.directions.length, width * 5)
  content.vectors.fill(7, 1001 * width)
  assert.deepEqual(fitWhitening(content, named, all), whitening)
})

test('when the power is below 1 then strong directions go on to count for more, at 0 for as much as before', () => {
  const content = table()
  const spread = (power: number) => {
    const { vectors, width: kept } = whiten(content, fitWhitening(content, content.rowOf, { kept: 2, power }))
    const sums = [0, 0]
    for (let at = kept; at < vectors.length; at += kept) for (const k of [0, 1]) sums[k] += vectors[at + k] ** 2
    return sums[0] / sums[1]
  }
  const [plain, half, whole] = [0, 0.5, 1].map(spread)
  assert.ok(Math.abs(whole - 1) < 0.05 && half > 1.5 && plain > 1.5 * half, `${plain}, ${half}, ${whole}`)
  const centered = fitWhitening(content, content.rowOf, { kept: width, power: 0 })
  const at0 = Array.from({ length: width }, (_, k) =>
    Math.hypot(...Array.from({ length: width }, (_, j) => centered.directions[j * width + k] ?? 0)),
  )
  assert.ok(at0.every((length) => Math.abs(length - 1) < 1e-9))
})
