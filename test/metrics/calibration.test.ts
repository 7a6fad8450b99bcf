import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { calibration, logLoss } from '../../src/metrics/index.js'
import { close, f32, f64 } from './data.js'

describe('logLoss', () => {
  test('when probabilities are given then the loss is the mean of −ln p of what happened', () => {
    close(logLoss([1, 0, 1], f64(0.5, 0.25, 0.8)), -(Math.log(0.5) + Math.log(0.75) + Math.log(0.8)) / 3, 1e-15)
  })

  test('when a probability is certainly wrong then the loss is that of 1e-7, not infinite', () => {
    close(logLoss([1], f64(0)), -Math.log(1e-7), 1e-12)
    close(logLoss([0], f64(1)), -Math.log(1e-7), 1e-8)
    close(logLoss([1, 0], f64(1, 0)), 1e-7, 1e-12)
  })

  test('when there are no rows then the loss is NaN', () => {
    assert.ok(Number.isNaN(logLoss([], f32())))
  })

  test('when a logit is given for a probability then the error has its row and value', () => {
    assert.throws(() => logLoss([1, 0], f32(0.5, 1.5)), {
      id: 'probability-range',
      message: /^row 2: probability 1.5;/,
    })
    assert.throws(() => logLoss([1], f32(-0.5)), { id: 'probability-range' })
    assert.throws(() => logLoss([1], f32(Number.NaN)), { id: 'score-nan' })
  })
})

describe('calibration', () => {
  test('when two bins are worked by hand then curve, ECE and level agree', () => {
    // bins {0.1, 0.2} with one positive, {0.6, 0.7} with one positive
    const measured = calibration([0, 0, 1, 1], f64(0.1, 0.7, 0.6, 0.2), 2)
    close(measured.curve[0].predicted, 0.15, 1e-15)
    close(measured.curve[1].predicted, 0.65, 1e-15)
    assert.deepEqual(
      measured.curve.map(({ observed, count }) => [observed, count]),
      [
        [0.5, 2],
        [0.5, 2],
      ],
    )
    close(measured.ece, (2 / 4) * 0.35 + (2 / 4) * 0.15, 1e-15)
    close(measured.predictedOverObserved, 1.6 / 2, 1e-15)
  })

  test('when bins differ in size then ECE weights them by rows', () => {
    // the three equal predictions share a bin
    const measured = calibration([1, 0, 0, 1], f64(0.2, 0.2, 0.2, 0.6), 2)
    close(measured.ece, (3 / 4) * (1 / 3 - 0.2) + (1 / 4) * 0.4, 1e-15)
  })

  test('when clicks come as predicted then ECE is small, and halving the predictions shows', () => {
    const source = Random.of(5)
    const probabilities = Float32Array.from({ length: 50_000 }, () => 0.1 * source.uniform() ** 2)
    const labels = Uint8Array.from(probabilities, (p) => (source.uniform() < p ? 1 : 0))
    const right = calibration(labels, probabilities)
    assert.equal(right.curve.length, 20)
    assert.ok(right.ece < 0.004, `${right.ece}`)
    close(right.predictedOverObserved, 1, 0.05)
    const low = calibration(
      labels,
      probabilities.map((p) => p / 2),
    )
    assert.ok(low.ece > 0.01, `${low.ece}`)
    close(low.predictedOverObserved, 0.5, 0.05)
  })

  test('when equal predictions come in another order then nothing changes', () => {
    const probabilities = f64(0.25, 0.5, 0.25, 0.5, 0.25, 0.25)
    const forth = calibration([1, 0, 0, 1, 0, 0], probabilities, 3)
    assert.deepEqual(calibration([0, 1, 0, 0, 1, 0], probabilities, 3), forth)
  })

  test('when errors of opposite sign lie in the lowest tenth then equal-mass bins still see them', () => {
    // one equal-width bin would hold all rows, and its mean prediction equals the observed rate
    const probabilities = Float64Array.from({ length: 200 }, (_, row) => (row < 100 ? 0.01 : 0.07))
    const labels = Uint8Array.from({ length: 200 }, (_, row) => (row < 100 ? Number(row < 7) : Number(row < 101)))
    close(calibration(labels, probabilities).ece, 0.06, 1e-12)
  })

  test('when nothing was clicked then the level is infinite and the curve stays', () => {
    const measured = calibration([0, 0], f64(0.1, 0.3), 2)
    assert.equal(measured.predictedOverObserved, Infinity)
    close(measured.ece, 0.2, 1e-15)
  })

  test('when there are no rows then the curve is empty and the numbers are NaN', () => {
    assert.deepEqual(calibration([], f32()), { curve: [], ece: Number.NaN, predictedOverObserved: Number.NaN })
  })
})
