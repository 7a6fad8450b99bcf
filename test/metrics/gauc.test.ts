import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { auc, gauc } from '../../src/metrics/index.js'
import { close, f32, i32, pairwiseAuc, randomRows } from './data.js'

describe('gauc', () => {
  test('when users differ in impressions then their AUCs are weighted by them', () => {
    // user 0: (1 > 0) AUC 1 over 2 rows; user 1: positive 2 beats 1, ties 2, loses to 3: AUC ½ over 4 rows
    const measured = gauc([1, 0, 1, 0, 0, 0], f32(9, 8, 2, 1, 2, 3), i32(0, 0, 1, 1, 1, 1))
    assert.deepEqual(measured, { gauc: (2 * 1 + 4 * 0.5) / 6, groups: 2, impressions: 6 })
  })

  test('when a user has one class only then neither the AUC nor the impressions count', () => {
    const measured = gauc([1, 1, 0, 0, 1, 0], f32(1, 1, 2, 2, 3, 4), i32(0, 0, 1, 1, 2, 2))
    assert.deepEqual(measured, { gauc: 0, groups: 1, impressions: 2 })
  })

  test('when there is a single user then GAUC is AUC', () => {
    const { labels, scores } = randomRows(200, { levels: 7 })
    const measured = gauc(labels, scores, new Int32Array(200))
    close(measured.gauc, auc(labels, scores), 1e-12)
    assert.deepEqual([measured.groups, measured.impressions], [1, 200])
  })

  test('when no user has both classes, or there are no rows, then GAUC is NaN over 0 groups', () => {
    const nothing = { gauc: Number.NaN, groups: 0, impressions: 0 }
    assert.deepEqual(gauc([1, 0], f32(1, 2), i32(0, 1)), nothing)
    assert.deepEqual(gauc([], f32(), i32()), nothing)
  })

  test('when scores shift from user to user then GAUC does not see it but AUC does', () => {
    const { labels, scores, groups } = randomRows(300, { groups: 5 })
    const shifted = scores.map((score, row) => score + 100 * groups[row])
    close(gauc(labels, shifted, groups).gauc, gauc(labels, scores, groups).gauc, 1e-3)
    assert.ok(auc(labels, shifted) < auc(labels, scores) - 0.02)
  })

  test('when rows are random then GAUC equals the definition, unused group numbers included', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { labels, scores, groups } = randomRows(150, { seed, levels: 6, groups: 60 })
      let weighted = 0
      let impressions = 0
      let counted = 0
      for (let group = 0; group < 60; group++) {
        const rows = [...groups.keys()].filter((row) => groups[row] === group)
        const inside = pairwiseAuc(
          rows.map((row) => labels[row]),
          rows.map((row) => scores[row]),
        )
        if (Number.isNaN(inside)) continue
        counted++
        impressions += rows.length
        weighted += rows.length * inside
      }
      const measured = gauc(labels, scores, groups)
      close(measured.gauc, weighted / impressions, 1e-12)
      assert.deepEqual([measured.groups, measured.impressions], [counted, impressions])
    }
  })

  test('when a group is negative or the column is short then it is refused', () => {
    assert.throws(() => gauc([1, 0], f32(1, 2), i32(0, -1)), /group -1 in row 2/)
    assert.throws(() => gauc([1, 0], f32(1, 2), i32(0)), /groups has 1 rows; expected 2/)
  })
})
