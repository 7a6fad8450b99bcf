import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { Database, literal } from '../../../src/data/tables/duckdb.js'
import { requireProbabilities } from '../../../src/stages/ctr/predict.js'
import { mim, mimJson } from '../../commands/cli.js'
import { query, smallStages, workplace } from '../../e2e/stages.js'
import { refusal, runHere } from '../../refusal.js'
import { writeVectors } from './vectors.js'

const folder = await workplace()
const table = (name: string) => join(folder, 'tiny', `${name}.parquet`)
const [run, scored] = [join(folder, 'ciubm'), join(folder, 'scored.parquet')]
const vectors = join(folder, 'vectors.parquet')
const files = { scored, predictions: join(run, 'predictions.parquet'), impressions: table('impressions') }

before(async () => {
  await writeVectors(table('items'), vectors)
  const set = ['model.saTa=true', 'model.activation=dice', 'train.ema=0.5', 'data.whiten=5', 'data.whitenPower=0.5']
  const switches = set.flatMap((one) => ['--set', one])
  await mimJson([
    ...smallStages(folder).ctr,
    ...switches,
    '--embeddings',
    vectors,
    '--embeddings',
    vectors,
    '--out',
    run,
  ])
  await mimJson(['ctr', 'predict', run, '--explain', '2', '--out', scored])
})

test('when the test period is scored again then probabilities are those of training, to 1e-5', async () => {
  const [found] = await query<{ rows: bigint; furthest: number; same: boolean }>(
    `WITH a AS (SELECT *, file_row_number AS n FROM read_parquet(${literal(scored)}, file_row_number = true)),
       p AS (SELECT *, file_row_number AS n FROM read_parquet(${literal(files.predictions)}, file_row_number = true))
     SELECT count(*) AS rows, max(abs(a.probability - p.probability)) AS furthest,
       bool_and(a.user_id = p.user_id AND a.item_id = p.item_id) AS same
     FROM p JOIN a ON a.n = p.n + (SELECT count(*) FROM a) - (SELECT count(*) FROM p)`,
    files,
  )
  const [{ rows }] = await query<{ rows: bigint }>('SELECT count(*) AS rows FROM {predictions}', files)
  assert.equal(found.rows, rows)
  assert.ok(found.same && found.furthest < 1e-5, `${found.furthest}`)
  const [{ spread }] = await query<{ spread: number }>('SELECT stddev(probability) AS spread FROM {scored}', files)
  assert.ok(spread > 1e-4, 'the model distinguishes impressions')
})

test('when scores are explained then what is named and the rest add up to the attention', async () => {
  const sums = (path: string) =>
    query<{ part: string; total: number; most: number }>(
      `WITH numbered AS (SELECT row_number() OVER () AS n, * FROM read_parquet(${literal(path)})),
         named AS (SELECT n, unnest(by_attention, recursive := true) FROM numbered),
         others AS (SELECT n, unnest(other_attention, recursive := true) FROM numbered),
         per AS (SELECT n, part, sum(weight) AS shown, count(*) AS named FROM named GROUP BY n, part)
       SELECT part, n, shown + weight AS total, per.named AS most FROM per JOIN others USING (n, part) ORDER BY n, part`,
      {},
    )
  const whole = join(folder, 'whole.parquet')
  await mimJson(['ctr', 'predict', run, '--explain', '1000', '--out', whole])
  const [short, long] = [await sums(scored), await sums(whole)]
  assert.ok(long.some(({ most }) => most > 5))
  assert.ok(short.every(({ most }) => most <= 2))
  assert.equal(short.length, long.length)
  for (const [i, { part, total }] of short.entries()) {
    assert.ok(Math.abs(total - long[i].total) < 1e-5 && part === long[i].part)
    if (part === 'content') assert.ok(Math.abs(total - 1) < 1e-5, `${total}`)
  }
  const [{ ordered }] = await query<{ ordered: boolean }>(
    `SELECT bool_and(len(by_similarity) < 2 OR by_similarity[1].similarity >= by_similarity[2].similarity) AS ordered
     FROM {scored}`,
    files,
  )
  assert.ok(ordered)
})

test('when impressions in the working folder have no labels and name what training never saw then they are scored', async () => {
  const path = join(folder, 'new.parquet')
  const db = await Database.open()
  const known = `SELECT user_id, item_id, ts FROM read_parquet(${literal(table('impressions'))}) LIMIT 3`
  const unknown = `SELECT 'nobody' AS user_id, CAST(9007199254740993 AS BIGINT) AS item_id, max(ts) AS ts
    FROM read_parquet(${literal(table('impressions'))})`
  await db.writeParquet(`(${known}) UNION ALL ${unknown}`, path)
  db.close()
  const out = join(folder, 'new-scored.parquet')
  const before = process.cwd()
  process.chdir(folder)
  const args = ['ctr', 'predict', run, '--impressions', 'new.parquet', '--explain', '--out', 'new-scored.parquet']
  const { impressions } = await mimJson(args).finally(() => process.chdir(before))
  assert.equal(impressions, 4)
  const rows = await query<Record<string, unknown>>('SELECT * FROM {out}', { out })
  const stranger = rows.find(({ user_id }) => user_id === 'nobody')!
  assert.equal(stranger['item_id'], 9007199254740993n)
  assert.deepEqual(stranger['by_attention'], [])
  for (const { probability } of rows) assert.ok((probability as number) > 0 && (probability as number) < 1)
})

test('when a batch has new users alone, null labels or no rows then it is scored', async () => {
  const known = `FROM (FROM read_parquet(${literal(table('impressions'))}) ORDER BY ts DESC)`
  const batches: [string, string, number][] = [
    ['new users', `SELECT 'nobody' AS user_id, item_id, ts ${known} LIMIT 3`, 3],
    ['labels are null', `SELECT user_id, item_id, ts, NULL::INTEGER AS label ${known} LIMIT 3`, 3],
    ['labels are texts', `SELECT user_id, item_id, ts, 'unknown' AS label ${known} LIMIT 1`, 1],
    ['no rows', `SELECT user_id, item_id, ts ${known} LIMIT 0`, 0],
  ]
  const db = await Database.open()
  for (const [name, sql, rows] of batches) {
    const [path, out] = [join(folder, `${name}.parquet`), join(folder, `${name} scored.parquet`)]
    await db.writeParquet(sql, path)
    const done = await mimJson(['ctr', 'predict', run, '--impressions', path, '--out', out])
    assert.deepEqual([done['impressions'], done['warnings']], [rows, []], name)
    const columns = await query('SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {out})', { out })
    assert.deepEqual(
      columns.map((column) => Object.values(column as object)),
      [
        ['user_id', 'VARCHAR'],
        ['item_id', 'BIGINT'],
        ['probability', 'FLOAT'],
      ],
    )
    const found = await query<{ probability: number }>('SELECT * FROM {out}', { out })
    assert.equal(found.length, rows, name)
    for (const { probability } of found) assert.ok(probability > 0 && probability < 1, name)
  }
  db.close()
})

test('when impressions are in any order then scores are in the same order', async () => {
  const [path, out] = [join(folder, 'shuffled.parquet'), join(folder, 'shuffled-scored.parquet')]
  const db = await Database.open()
  await db.writeParquet(
    `SELECT user_id, item_id, ts FROM read_parquet(${literal(table('impressions'))}) ORDER BY hash(item_id), hash(user_id) LIMIT 200`,
    path,
  )
  db.close()
  await mimJson(['ctr', 'predict', run, '--impressions', path, '--out', out])
  const ids = async (file: string) => query('SELECT user_id, item_id FROM {file}', { file })
  assert.deepEqual(await ids(out), await ids(path))
})

test('when ids are written otherwise than in training then the scores come with a warning', async () => {
  const [path, out] = [join(folder, 'padded.parquet'), join(folder, 'padded-scored.parquet')]
  const db = await Database.open()
  await db.writeParquet(
    `SELECT user_id || ' ' AS user_id, item_id, ts FROM read_parquet(${literal(table('impressions'))}) LIMIT 20`,
    path,
  )
  db.close()
  const { impressions, warnings } = await mimJson(['ctr', 'predict', run, '--impressions', path, '--out', out])
  assert.equal(impressions, 20)
  const found = (warnings as { id: string; what: string }[]).map(({ id, what }) => `${id} ${what}`)
  assert.match(found.join('\n'), /join-empty users → behaviors: none .*spaces around ids/)
  assert.match(found.join('\n'), /join-empty impressions → users of training: none .*spaces around ids/)
})

test('when a hard search is by what is no feature of items then one line names those that are', async () => {
  const args = [
    'ctr',
    '--data',
    join(folder, 'tiny'),
    '--model',
    'sim-hard',
    '--set',
    'model.behaviorSearch.feature=brand',
  ]
  const line = await refusal(args, join(folder, 'refused'), 'search-feature')
  assert.match(
    line,
    /no feature 'brand' for the hard search; expected model\.behaviorSearch\.feature among .*: category/,
  )
})

test('when there is nothing to predict with then one line says why', async () => {
  const cases: [string[], RegExp][] = [
    [[folder], /^error \[run-missing\]: .*config\.yaml is missing/],
    [[run, '--explain', '1.5'], /^error \[option-value\]: --explain 1\.5; expected a whole number/],
    [[run, '--provider', 'tpu'], /^error \[option-value\]: --provider tpu; expected auto, cuda, .*cpu/],
  ]
  for (const [args, expected] of cases) {
    const { code, stderr } = await mim(['ctr', 'predict', ...args, '--out', join(folder, 'none.parquet')])
    assert.equal(code, 2)
    assert.match(stderr, expected)
  }
})

/** A copy of the run, without its explanations, with other content of a file. */
function spoilt(name: string, file: string, change: (content: Buffer) => Buffer | string): string {
  const copy = join(folder, name)
  cpSync(run, copy, { recursive: true })
  writeFileSync(join(copy, file), change(readFileSync(join(copy, file))))
  return copy
}

test('when the exported model is spoilt then it is exported again, a line says so, and scores are the same', async () => {
  const cases: [string, (content: Buffer) => Buffer | string][] = [
    ['onnx/model.onnx', (bytes) => bytes.subarray(0, 100)],
    ['onnx/model.onnx', (bytes) => bytes.fill(1, bytes.length - 2000, bytes.length - 1900)],
    ['onnx/files.json', () => 'null'],
  ]
  for (const [i, [file, change]] of cases.entries()) {
    const copy = spoilt(`export-${i}`, file, change)
    const out = join(folder, `export-${i}.parquet`)
    const { code, stderr } = await runHere(['ctr', 'predict', copy, '--out', out, '--json'])
    assert.equal(code, undefined, stderr)
    assert.match(stderr, /^the model is exported again from the checkpoint: .*onnx(: model\.onnx: |\/files\.json: )/m)
    const [{ furthest }] = await query<{ furthest: number }>(
      'SELECT max(abs(a.probability - b.probability)) AS furthest FROM {out} a POSITIONAL JOIN {scored} b',
      { out, scored },
    )
    assert.equal(furthest, 0)
  }
})

test('when files of a trained model are spoilt then one line names the file and nothing is written', async () => {
  const cases: [string, (content: Buffer) => Buffer | string, RegExp][] = [
    ['checkpoint/features.json', () => '{}', /^error \[file-broken\]: .*features\.json: sizes: /m],
    ['checkpoint/features.json', () => 'null', /^error \[file-broken\]: .*features\.json: null: /m],
    [
      'checkpoint/features.json',
      (bytes) => bytes.toString().replace('"item"', '"thing"'),
      /features\.json: sizes: there is none of the table 'item'/,
    ],
    [
      'checkpoint/features.json',
      (bytes) => bytes.toString().replace('"mean":[', '"mean":[0,'),
      /features\.json: whitening of /,
    ],
    [
      'checkpoint/vocabulary.parquet',
      (bytes) => bytes.subarray(0, 200),
      /^error \[table-unreadable\]: .*vocabulary\.parquet/m,
    ],
    [
      'checkpoint/vocabulary.parquet',
      () => readFileSync(vectors),
      /^error \[column-missing\]: .*vocabulary\.parquet: column 'table' /m,
    ],
    ['config.yaml', () => '{}', /^error \[/m],
  ]
  for (const [i, [file, change, message]] of cases.entries()) {
    const copy = spoilt(`model-${i}`, file, change)
    const out = join(folder, `model-${i}.parquet`)
    const { code, stderr } = await runHere(['ctr', 'predict', copy, '--out', out])
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, /\n {4}at /)
    assert.equal(existsSync(out), false)
  }
})

test('when an export without checksums is no model then one line says so', async () => {
  const copy = spoilt('unsummed', 'onnx/model.onnx', () => 'no model')
  rmSync(join(copy, 'onnx/files.json'))
  const { code, stderr } = await runHere(['ctr', 'predict', copy, '--out', join(folder, 'unsummed.parquet')])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /error \[model-broken\]: .*model\.onnx: ONNX Runtime cannot open it: [^\n]*; remove its folder: /,
  )
})

test('when a probability is NaN then nothing is written, and the error names the impression', async () => {
  assert.throws(() => requireProbabilities(Float32Array.of(0.5, Number.NaN), 4096, 'onnx'), {
    id: 'probability-not-finite',
    message: /^onnx: the probability of impression 4098 is NaN; expected a number from 0 to 1; /,
  })
  const copy = join(folder, 'not-finite')
  cpSync(run, copy, { recursive: true })
  const weights = join(copy, 'checkpoint/model.safetensors')
  const bytes = readFileSync(weights)
  // All numbers after the header.
  bytes.fill(0xff, 8 + Number(bytes.readBigUInt64LE()))
  writeFileSync(weights, bytes)
  rmSync(join(copy, 'onnx'), { recursive: true })
  const out = join(folder, 'not-finite.parquet')
  const { code, stderr } = await runHere(['ctr', 'predict', copy, '--out', out])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /error \[probability-not-finite\]: /)
  assert.equal(existsSync(out), false)
})
