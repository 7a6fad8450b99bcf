import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { Database, literal } from '../../src/data/tables/duckdb.js'
import { auc, calibration, gauc, logLoss } from '../../src/metrics/index.js'
import { evaluate } from '../../src/studies/evaluate.js'
import { mim } from '../commands/cli.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const columns = { label: 'label', score: 'probability', group: 'user_id', memory: '500MB' }

interface Rows {
  users: string[]
  labels: number[]
  scores: number[]
}

async function write(name: string, { users, labels, scores }: Rows): Promise<string> {
  const path = join(folder, name)
  const list = JSON.stringify(users.map((user, i) => ({ user_id: user, label: labels[i], probability: scores[i] })))
  const shape = '[{"user_id":"VARCHAR","label":"UTINYINT","probability":"DOUBLE"}]'
  const db = await Database.open()
  await db.writeParquet(`SELECT unnest(from_json(${literal(list)}, '${shape}'), recursive := true)`, path)
  db.close()
  return path
}

function random(count: number, users: number, ofScore: (random: Random) => number): Rows {
  const source = Random.of('evaluate', count, users)
  const rows = Array.from({ length: count }, () => ({ user: `u${source.int(users)}`, score: ofScore(source) }))
  return {
    users: rows.map(({ user }) => user),
    labels: rows.map(({ score }) => (source.uniform() < 0.1 + 0.4 * score ? 1 : 0)),
    scores: rows.map(({ score }) => score),
  }
}

const cases: [string, Rows][] = [
  ['all scores differ', random(3000, 100, (r) => r.uniform())],
  ['many scores are equal', random(3000, 100, (r) => r.int(7) / 7)],
  ['all scores are equal', random(500, 20, () => 0.25)],
  ['there is one user', random(200, 1, (r) => r.int(50) / 50)],
  ['most users have one class', random(300, 200, (r) => r.uniform())],
  ['scores are 0 and 1', random(100, 5, (r) => r.int(2))],
]

for (const [name, rows] of cases) {
  test(`when ${name} then a table is measured as its columns are`, async () => {
    const found = await evaluate({ path: await write('case.parquet', rows), ...columns })
    const scores = Float64Array.from(rows.scores)
    const names = [...new Set(rows.users)]
    const byUser = gauc(
      rows.labels,
      scores,
      Int32Array.from(rows.users, (user) => names.indexOf(user)),
    )
    const { curve, ece, predictedOverObserved } = calibration(rows.labels, scores)
    const close = (a: number, b: number, what: string) =>
      assert.ok(Object.is(a, b) || Math.abs(a - b) < 1e-9, `${what}: ${a} is not ${b}`)
    close(found.auc, auc(rows.labels, scores), 'AUC')
    assert.ok(Object.is(found.gauc, byUser.gauc), `GAUC: ${found.gauc} is not ${byUser.gauc}`)
    assert.deepEqual([found.gauc_groups, found.groups, found.rows], [byUser.groups, names.length, scores.length])
    close(found.logloss, logLoss(rows.labels, scores), 'log loss')
    close(found.ece, ece, 'ECE')
    close(found.predicted_over_observed, predictedOverObserved, 'predicted / observed')
    assert.equal(found.reliability.length, curve.length)
    for (const [i, bin] of found.reliability.entries()) {
      assert.equal(bin.count, curve[i].count)
      close(bin.predicted, curve[i].predicted, `predicted in bin ${i}`)
      close(bin.observed, curve[i].observed, `observed in bin ${i}`)
    }
  })
}

test('when a table is measured again, by any number of threads, then all figures have the same bits', async () => {
  // Enough rows for several threads, and scores of float32 as runs write them.
  const file = join(folder, 'many.parquet')
  const db = await Database.open()
  await db.writeParquet(
    `SELECT hash(i, 'user') % 500 AS user_id, CAST(hash(i, 'score') % 1000003 / 1000003 AS FLOAT) AS probability,
       CAST(hash(i, 'label') % 7 = 0 AS UTINYINT) AS label FROM range(20000) r(i)`,
    file,
    2048,
  )
  const rows = await db.columns(`FROM read_parquet(${literal(file)})`, {
    ...({ user_id: 'int32', label: 'uint8', probability: 'float32' } as const),
  })
  db.close()
  const first = await evaluate({ path: file, ...columns, threads: 1 })
  for (let call = 0; call < 20; call++) {
    const found = await evaluate({ path: file, ...columns, threads: 1 + (call % 8) })
    assert.deepEqual(found, first)
  }
  const { curve, ece, predictedOverObserved } = calibration(rows.label, rows.probability)
  const { gauc: byUser } = gauc(rows.label, rows.probability, rows.user_id)
  const stage = { auc: auc(rows.label, rows.probability), gauc: byUser, ece, predictedOverObserved, curve }
  const { auc: all, gauc: grouped, ece: error, predicted_over_observed: ratio, reliability } = first
  assert.deepEqual({ auc: all, gauc: grouped, ece: error, predictedOverObserved: ratio, curve: reliability }, stage)
})

test('when values computed elsewhere are there then AUC, GAUC and log loss agree with them', async () => {
  const file = new URL('../../../test/fixtures/metrics_reference.json', import.meta.url)
  const reference = JSON.parse(readFileSync(file, 'utf8'))
  const rows = { users: reference.user, labels: reference.label, scores: reference.score }
  const found = await evaluate({ path: await write('reference.parquet', rows), ...columns })
  for (const name of ['auc', 'gauc', 'logloss'] as const)
    assert.ok(Math.abs(found[name] - reference[name]) < 1e-9, name)
})

test('when predictions are evaluated by another column then the definition names it', async () => {
  const path = await write('named.parquet', cases[1][1])
  const { stdout } = await mim(['ctr', 'evaluate', path, '--group', 'label'])
  assert.match(stdout, /^GAUC +–$/m)
  assert.match(stdout, /within each label, weighted by impressions, over the 0 of 2 that have both/)
})

test('when a score is no probability then one line says where', async () => {
  const path = await write('logits.parquet', { users: ['a', 'a'], labels: [0, 1], scores: [0.5, 1.5] })
  const { code, stderr } = await mim(['ctr', 'evaluate', path])
  assert.equal(code, 2)
  assert.match(stderr, /^error \[probability-range\]: .*logits\.parquet: column 'probability': 1\.5; expected a number/)
})
