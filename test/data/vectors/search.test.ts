import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { type ContentTable, quantize } from '../../../src/data/vectors/contentTable.js'
import { Nearest, withSearch } from '../../../src/data/vectors/search.js'
import { differing } from '../differing.js'

const [items, count] = [500, 50]
const random = Random.of('nearest')

/** Vectors of length one of two items each; items 0 and 7 have none. */
function tableOf(type: 'float32' | 'int8', width: number): Pick<ContentTable, 'vectors' | 'width' | 'rowOf'> {
  const rowOf = Int32Array.from({ length: items }, (_, item) => (item === 0 || item === 7 ? 0 : 1 + (item >> 1)))
  const floats = new Float32Array((1 + items / 2) * width)
  for (let at = width; at < floats.length; at += width) {
    const vector = Array.from({ length: width }, () => random.normal())
    const norm = Math.hypot(...vector)
    floats.set(
      vector.map((x) => x / norm),
      at,
    )
  }
  if (type === 'float32') return { vectors: floats, width, rowOf }
  const vectors = new Int8Array(floats.length)
  quantize(floats, 1 / 127, vectors, 0)
  return { vectors, width, rowOf }
}

/** Places of the `k` highest scores, in order; of equal ones the latest. */
const highest = (scores: number[], k: number) =>
  [...scores.keys()]
    .sort((a, b) => scores[b] - scores[a] || b - a)
    .slice(0, k)
    .sort((a, b) => a - b)

/** What `Nearest` finds, by plain loops; float32 is summed in the same order. */
function plainly(
  { vectors, width, rowOf, search }: ReturnType<typeof withSearch>,
  history: Int32Array,
  target: number,
): number[] {
  const agreements = Array.from(history, (item) => -differing(search.sketches, item, target))
  const pooled = highest(agreements, 4 * count)
  const product = (item: number) => {
    const [a, b] = [rowOf[item] * width, rowOf[target] * width]
    const parts = new Float32Array(8)
    const add = (i: number) => {
      parts[i % 8] += Math.fround(vectors[a + i] * vectors[b + i])
    }
    // The last block, which may not be full, comes first.
    const whole = width - (width % 8)
    for (let i = whole; i < width; i++) add(i)
    for (let i = 0; i < whole; i++) add(i)
    for (const half of [4, 2, 1]) for (let i = 0; i < half; i++) parts[i] += parts[i + half]
    return parts[0]
  }
  const scores = pooled.map((place) => product(history[place]))
  return highest(scores, count).map((place) => pooled[place])
}

describe('The search for the nearest items', () => {
  for (const type of ['float32', 'int8'] as const) {
    for (const width of [128, 20, 3, 37]) {
      for (const fits of [true, false]) {
        const where = fits ? 'in' : 'beside'
        test(`when ${type} vectors of ${width} lie ${where} the memory that is searched then plain loops agree`, () => {
          const table = fits ? withSearch(tableOf(type, width)) : withSearch(tableOf(type, width), 0)
          assert.equal(table.vectors.buffer === table.search.sketches.buffer, fits)
          // Another thread's would have such lists of their own in the same memory.
          const searches = [Nearest.of(table, count), Nearest.of({ ...table }, count)]
          for (const length of [count + 1, 199, 200, 201, 202, 203, 1000, 2500]) {
            const histories = searches.map(() => Int32Array.from({ length }, () => random.int(items)))
            const target = 1 + random.int(5)
            const found = searches.map((search, i) => search.among(histories[i], target))
            for (const [i, history] of histories.entries()) {
              assert.deepEqual([...found[i]], plainly(table, history, target), `${length} items`)
            }
          }
        })
      }
    }
  }

  test('when all items are alike then the latest are found', () => {
    const search = Nearest.of(withSearch(tableOf('float32', 20)), count)
    const latest = Array.from({ length: count }, (_, i) => 300 - count + i)
    assert.deepEqual([...search.among(new Int32Array(300).fill(9), 3)], latest)
    assert.deepEqual([...search.among(new Int32Array(300).fill(7), 3)], latest)
  })

  test('when few are wanted of a few then it finds them', () => {
    const search = Nearest.of(tableOf('float32', 20), 1)
    assert.deepEqual([...search.among(Int32Array.of(100, 3, 200), 3)], [1])
    assert.deepEqual([...search.among(Int32Array.of(3, 7), 3)], [0])
  })
})
