import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import {
  auc,
  aucOfGroups,
  gauc,
  logLoss,
  metricInterval,
  pairedDifference,
  rankRows,
  userBootstrap,
  weightedAuc,
  weightedGauc,
} from '../../src/metrics/index.js'
import { close, f32, i32, type Rows, randomRows } from './data.js'

/** Rows as if each user were there `weights` times, every copy being a user of its own. */
function repeated({ labels, scores, groups }: Rows, weights: Int32Array): Rows {
  const rows = [...groups.keys()].flatMap((row) => Array<number>(weights[groups[row]]).fill(row))
  const users = weights.length
  const copy = rows.map((row, i) => (rows[i - 1] === row ? 1 : 0))
  for (let i = 1; i < rows.length; i++) if (copy[i] === 1) copy[i] += copy[i - 1]
  return {
    labels: Uint8Array.from(rows, (row) => labels[row]),
    scores: Float32Array.from(rows, (row) => scores[row]),
    groups: Int32Array.from(rows, (row, i) => groups[row] + users * copy[i]),
  }
}

describe('metrics of weighted users', () => {
  test('when users have weights then AUC and GAUC are those of rows physically repeated', () => {
    for (const levels of [4, 1e6]) {
      for (let seed = 1; seed <= 8; seed++) {
        const rows = randomRows(120, { seed, levels, groups: 12 })
        const source = Random.of(seed)
        const weights = Int32Array.from({ length: 12 }, () => source.int(4))
        const copies = repeated(rows, weights)
        assert.equal(
          weightedAuc(rankRows(rows.labels, rows.scores, rows.groups), weights),
          auc(copies.labels, copies.scores),
        )
        close(
          weightedGauc(aucOfGroups(rows.labels, rows.scores, rows.groups), weights),
          gauc(copies.labels, copies.scores, copies.groups).gauc,
          1e-12,
        )
      }
    }
  })

  test('when -0 and 0 meet then the weighted AUC sees a tie', () => {
    const ranked = rankRows([1, 0, 1, 0], f32(-0, 0, 0, -0), i32(0, 0, 1, 1))
    assert.equal(weightedAuc(ranked, i32(1, 1)), 0.5)
  })

  test('when the weights leave one class then the weighted AUC is NaN', () => {
    const ranked = rankRows([1, 1, 0], f32(1, 2, 3), i32(0, 0, 1))
    assert.ok(Number.isNaN(weightedAuc(ranked, i32(2, 0))))
    assert.ok(Number.isNaN(weightedGauc(aucOfGroups([1, 1, 0], f32(1, 2, 3), i32(0, 0, 1)), i32(1, 1))))
  })

  test('when the users column is short then it is refused', () => {
    assert.throws(() => rankRows([1, 0], f32(1, 2), i32(0)), /users has 1 rows; expected 2/)
  })
})

describe('userBootstrap', () => {
  test('when users are resampled then each resample draws as many users as there are, from those with rows', () => {
    const drawn = new Set<string>()
    userBootstrap(
      (weights) => {
        assert.equal(weights.length, 8)
        assert.equal(
          weights.reduce((sum, weight) => sum + weight, 0),
          3,
        )
        assert.equal(weights[1] + weights[4] + weights[7], 3)
        drawn.add(weights.join())
        return 0
      },
      i32(1, 4, 4, 7, 7, 7),
      { samples: 200 },
    )
    assert.equal(drawn.size, 10) // all multisets of 3 out of 3 users
  })

  test('when the mean of many users is resampled then the interval has the width of theory', () => {
    // 400 users with value 0 or 1, half each: the mean's standard error is 0.025, so ±1.96 of that
    const groups = Int32Array.from({ length: 400 }, (_, row) => row)
    const mean = (weights: Int32Array) => weights.reduce((sum, weight, user) => sum + weight * (user % 2), 0) / 400
    const { value, low, high, samples } = userBootstrap(mean, groups, { samples: 4000, seed: 3 })
    assert.equal(value, 0.5)
    close(low, 0.5 - 1.96 * 0.025, 0.004)
    close(high, 0.5 + 1.96 * 0.025, 0.004)
    assert.equal(samples, 4000)
    const narrow = userBootstrap(mean, groups, { samples: 4000, seed: 3, confidence: 0.5 })
    close(narrow.high - narrow.low, 2 * 0.6745 * 0.025, 0.004)
  })

  test('when a metric is undefined in some resamples then they are left out and counted', () => {
    const metric = (weights: Int32Array) => (weights[0] === 0 ? Number.NaN : 1)
    const { value, low, high, samples } = userBootstrap(metric, i32(0, 1), { samples: 1000 })
    assert.deepEqual([value, low, high], [1, 1, 1])
    assert.ok(samples > 690 && samples < 810, `${samples}`) // a quarter lacks user 0
  })

  test('when there are no rows then value and bounds are NaN over 0 samples', () => {
    const nothing = { value: Number.NaN, low: Number.NaN, high: Number.NaN, samples: 0 }
    assert.deepEqual(metricInterval('auc', [], [f32()], i32()), nothing)
  })

  test('when options are out of range then they are refused', () => {
    assert.throws(() => userBootstrap(() => 0, i32(0), { samples: 0 }), /samples 0/)
    assert.throws(() => userBootstrap(() => 0, i32(0), { confidence: 95 }), /confidence 95/)
  })
})

describe('intervals', () => {
  const { labels, scores, groups } = randomRows(2000, { seed: 4, groups: 200 })
  const noise = Random.of(6)
  const worse = scores.map((score) => score + 0.5 * noise.uniform())

  test('when AUC and GAUC are given an interval then it contains their value', () => {
    const auroc = metricInterval('auc', labels, [scores], groups)
    assert.equal(auroc.value, auc(labels, scores))
    assert.ok(auroc.low < auroc.value && auroc.value < auroc.high)
    assert.ok(auroc.high - auroc.low < 0.08)
    const grouped = metricInterval('gauc', labels, [scores], groups)
    close(grouped.value, gauc(labels, scores, groups).gauc, 1e-12)
    assert.ok(grouped.low < grouped.value && grouped.value < grouped.high)
  })

  test('when the seed is the same then so are the numbers, and another seed gives others', () => {
    const options = { samples: 100, seed: 7 }
    assert.deepEqual(
      metricInterval('auc', labels, [scores], groups, options),
      metricInterval('auc', labels, [scores], groups, options),
    )
    assert.notEqual(
      metricInterval('auc', labels, [scores], groups, options).low,
      metricInterval('auc', labels, [scores], groups, { samples: 100, seed: 8 }).low,
    )
  })

  test('when rows of a user go together then the interval is wider than if each row were a user', () => {
    // every user's rows are ten copies of one row
    const row = (i: number) => Math.floor(i / 10)
    const tenfold = { length: 2000 }
    const copiedLabels = Uint8Array.from(tenfold, (_, i) => labels[row(i)])
    const copiedScores = Float32Array.from(tenfold, (_, i) => scores[row(i)])
    const byUser = metricInterval(
      'auc',
      copiedLabels,
      [copiedScores],
      Int32Array.from(tenfold, (_, i) => row(i)),
    )
    const byRow = metricInterval(
      'auc',
      copiedLabels,
      [copiedScores],
      Int32Array.from(tenfold, (_, i) => i),
    )
    close((byUser.high - byUser.low) / (byRow.high - byRow.low), Math.sqrt(10), 0.5)
  })

  test('when the two models are the same then the difference and its interval are exactly 0', () => {
    const nothing = { difference: 0, low: 0, high: 0, samples: 1000 }
    assert.deepEqual(pairedDifference('auc', labels, [scores], [scores], groups), nothing)
    assert.deepEqual(pairedDifference('gauc', labels, [scores], [scores.slice()], groups), nothing)
  })

  test('when one model is better then the interval excludes 0, with the sign of A minus B', () => {
    const better = pairedDifference('auc', labels, [scores], [worse], groups)
    assert.equal(better.difference, auc(labels, scores) - auc(labels, worse))
    assert.ok(0 < better.low && better.low < better.difference && better.difference < better.high)
    const grouped = pairedDifference('gauc', labels, [worse], [scores], groups)
    assert.ok(grouped.low < grouped.difference && grouped.difference < grouped.high && grouped.high < 0)
  })

  test('when log loss is resampled then its value is that of the rows, and the better model has less of it', () => {
    const probabilities = scores.map((score) => 1 / (1 + Math.exp(-score)))
    const { value, low, high } = metricInterval('logloss', labels, [probabilities], groups)
    close(value, logLoss(labels, probabilities), 1e-12)
    assert.ok(low < value && value < high)
    const flat = probabilities.map(() => 0.5)
    const { difference } = pairedDifference('logloss', labels, [probabilities], [flat], groups)
    close(difference, value - Math.log(2), 1e-9)
  })

  test('when a model was trained several times then the difference is that of the means over its runs', () => {
    const several = pairedDifference('auc', labels, [scores, worse], [worse], groups, { samples: 20 })
    const single = pairedDifference('auc', labels, [scores], [worse], groups, { samples: 20 })
    close(several.difference, single.difference / 2, 1e-12)
  })

  test('when models are compared in pairs then the interval is narrower than that of one model', () => {
    const near = scores.map((score) => score + 0.02 * noise.uniform())
    const paired = pairedDifference('auc', labels, [scores], [near], groups)
    const single = metricInterval('auc', labels, [scores], groups)
    assert.ok(paired.high - paired.low < (single.high - single.low) / 5)
  })

  test('when there is a single user then the interval has no width', () => {
    const { value, low, high } = metricInterval('auc', labels, [scores], new Int32Array(2000), { samples: 20 })
    assert.deepEqual([low, high], [value, value])
  })
})
