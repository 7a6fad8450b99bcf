import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { AucAccumulator, auc } from '../../src/metrics/index.js'
import { f32, type Rows, randomRows } from './data.js'

function fill(accumulator: AucAccumulator, { labels, scores }: Rows, sizes: number[]): AucAccumulator {
  for (let row = 0, chunk = 0; row < labels.length; row += sizes[chunk++ % sizes.length]) {
    const end = row + sizes[chunk % sizes.length]
    accumulator.add(labels.subarray(row, end), scores.subarray(row, end))
  }
  return accumulator
}

describe('AucAccumulator', () => {
  test('when chunks are uneven then the value is exactly the AUC of all rows', () => {
    for (const levels of [1, 3, 100, 1e6]) {
      const rows = randomRows(3001, { levels })
      for (const sizes of [[3001], [1], [1, 1000, 7], [0, 64], [500, 499, 1, 1]]) {
        const accumulator = fill(new AucAccumulator(), rows, sizes)
        assert.equal(accumulator.value(), auc(rows.labels, rows.scores), `levels ${levels}, chunks ${sizes}`)
        assert.equal(accumulator.rows, 3001)
      }
    }
  })

  test('when two million rows come in chunks then the value is exactly their AUC', () => {
    const source = Random.of(9)
    const scores = Float32Array.from({ length: 2_000_000 }, () => source.uniform())
    const labels = Uint8Array.from(scores, (score) => (source.uniform() < 0.2 * score ? 1 : 0))
    const accumulator = fill(new AucAccumulator(), { labels, scores, groups: new Int32Array() }, [100_003, 4096])
    assert.equal(accumulator.value(), auc(labels, scores))
  })

  test('when the value is read between chunks then it is that of the rows so far and adding goes on', () => {
    const { labels, scores } = randomRows(900, { levels: 50 })
    const accumulator = new AucAccumulator()
    for (let row = 0; row < 900; row += 300) {
      accumulator.add(labels.subarray(row, row + 300), scores.subarray(row, row + 300))
      assert.equal(accumulator.value(), auc(labels.subarray(0, row + 300), scores.subarray(0, row + 300)))
      assert.equal(accumulator.value(), auc(labels.subarray(0, row + 300), scores.subarray(0, row + 300)))
    }
  })

  test('when accumulators are merged then the value is that of all rows and the other stays', () => {
    const rows = randomRows(1000, { levels: 80 })
    const part = (from: number, to: number): Rows => ({
      labels: rows.labels.subarray(from, to),
      scores: rows.scores.subarray(from, to),
      groups: new Int32Array(),
    })
    const whole = fill(new AucAccumulator(), part(0, 350), [40])
    const rest = fill(new AucAccumulator(), part(350, 1000), [77])
    whole.merge(rest)
    assert.equal(whole.value(), auc(rows.labels, rows.scores))
    assert.equal(whole.rows, 1000)
    assert.equal(rest.value(), auc(part(350, 1000).labels, part(350, 1000).scores))
    assert.equal(rest.rows, 650)
  })

  test('when an accumulator is merged with itself then each row counts twice', () => {
    const rows = randomRows(100, { levels: 10 })
    const accumulator = fill(new AucAccumulator(), rows, [9])
    accumulator.merge(accumulator)
    assert.equal(accumulator.rows, 200)
    assert.equal(accumulator.value(), auc(rows.labels, rows.scores))
  })

  test('when nothing or one class was added then the value is NaN', () => {
    const accumulator = new AucAccumulator()
    assert.ok(Number.isNaN(accumulator.value()))
    accumulator.add([1, 1], f32(1, 2))
    assert.ok(Number.isNaN(accumulator.value()))
    accumulator.add([0], f32(1.5))
    assert.equal(accumulator.value(), 0.5)
  })

  test('when -0 and 0 come in different chunks then they tie', () => {
    const accumulator = new AucAccumulator()
    accumulator.add([1], f32(-0))
    accumulator.add([0], f32(0))
    accumulator.add([1, 0, 0], f32(0, -0, 0))
    assert.equal(accumulator.value(), 0.5)
  })

  test('when a later chunk has NaN or a wrong label then its row among all rows is told', () => {
    const accumulator = new AucAccumulator()
    accumulator.add([1, 0], f32(1, 2))
    assert.throws(() => accumulator.add([1, 0], f32(1, Number.NaN)), { id: 'score-nan', message: /^row 4: / })
    assert.throws(() => accumulator.add([3], f32(1)), { id: 'label-value', message: /^row 3: / })
    assert.equal(accumulator.rows, 2)
  })
})
