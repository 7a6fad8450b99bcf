import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { auc, gauc, logLoss } from '../../src/metrics/index.js'
import { close } from './data.js'

interface Reference {
  user: string[]
  label: number[]
  score: number[]
  auc: number
  logloss: number
  gauc: number
  gauc_users: number
}

const file = new URL('../../../test/fixtures/metrics_reference.json', import.meta.url)
const reference = JSON.parse(readFileSync(file, 'utf8')) as Reference
const scores = Float64Array.from(reference.score)
const users = [...new Set(reference.user)]
const groups = Int32Array.from(reference.user, (user) => users.indexOf(user))

describe('reference values computed elsewhere', () => {
  test('when the reference rows are measured then AUC agrees', () => {
    close(auc(reference.label, scores), reference.auc)
  })

  test('when the reference rows are measured then log loss agrees', () => {
    close(logLoss(reference.label, scores), reference.logloss)
  })

  test('when the reference rows are measured by user then GAUC and its users agree', () => {
    const measured = gauc(reference.label, scores, groups)
    close(measured.gauc, reference.gauc)
    assert.equal(measured.groups, reference.gauc_users)
    assert.equal(measured.impressions, reference.label.length)
  })
})
