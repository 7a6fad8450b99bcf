import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bench, results, scratch } from './running.js'

test('when make reproduce has left runs then the median of their times is printed by stage', () => {
  const runs = join(scratch, 'reproduce')
  for (const [seed, stage, metrics] of [
    ['seed-1', 'pretrain', { seconds: 10 }],
    ['seed-2', 'pretrain', { seconds: 30 }],
    ['seed-1', 'din', { seconds: 5, auc: 1 }],
    ['seed-1', 'broken', {}],
  ] as const) {
    mkdirSync(join(runs, seed, stage), { recursive: true })
    writeFileSync(join(runs, seed, stage, 'metrics.json'), JSON.stringify(metrics))
  }
  const { status, stderr } = bench(['reproduce', '--runs', runs])
  assert.equal(status, 0, stderr)
  assert.deepEqual(
    results().map(({ workload, value, unit, peer }) => [workload, value, unit, peer]),
    [
      ['reproduce-din', 5, 's', null],
      ['reproduce-pretrain', 20, 's', null],
    ],
  )
  assert.equal(bench(['reproduce', '--runs', join(scratch, 'absent')]).stdout, '')
})

test('when a workload is not known then the known ones are listed', () => {
  const { status, stderr } = bench(['speed'])
  assert.equal(status, 2)
  assert.match(stderr, /ctr-ragged/)
})
