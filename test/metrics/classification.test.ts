import assert from 'node:assert/strict'
import { test } from 'node:test'
import { majorityShare, nearestClassAccuracy, neighborAccuracy } from '../../src/metrics/index.js'

/** Unit vectors at these angles, in degrees. */
const at = (...degrees: number[]) =>
  Float32Array.from(degrees.flatMap((a) => [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)]))

test('when rows are classified by the nearest class then correct ones count and rows without a label do not', () => {
  // Classes at 0°, 90° and 180°; the third row is nearer to 90°, the fifth has no label.
  const rows = at(10, 80, 130, 170, 90)
  assert.equal(nearestClassAccuracy(rows, at(0, 90, 180), 2, Int32Array.of(0, 1, 2, 2, -1)), 3 / 4)
  assert.ok(Number.isNaN(nearestClassAccuracy(rows, at(0), 2, Int32Array.of(-1, -1, -1, -1, -1))))
})

test('when neighbors vote then a row does not vote for itself, nor do rows without a label', () => {
  const rows = at(0, 2, 5, 90, 93, 1)
  const labels = Int32Array.of(0, 0, 1, 1, 1, -1)
  // 0° and 2° name each other; the two neighbors of 5° say 0; 90° and 93° each have the other and 5°.
  assert.equal(neighborAccuracy(rows, 2, labels, 1), 4 / 5)
  assert.equal(neighborAccuracy(rows, 2, labels, 2), 4 / 5)
  // Of four votes for 5°, two for each label, the nearer ones decide.
  assert.equal(neighborAccuracy(rows.slice(0, 10), 2, Int32Array.of(0, 0, 1, 1, 1), 4), 2 / 5)
  assert.ok(Number.isNaN(neighborAccuracy(rows, 2, Int32Array.of(-1, -1, 0, -1, -1, -1), 3)))
})

test('when one label is the commonest then its share is what saying it always would reach', () => {
  assert.equal(majorityShare(Int32Array.of(3, 1, -1, 3, 0)), 2 / 4)
})
