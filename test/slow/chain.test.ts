import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { parse } from 'yaml'
import { type Ended, mim } from '../commands/cli.js'
import { missing, query, smallStages, workplace } from '../e2e/stages.js'
import { onEachEngine } from '../engines.js'

const folder = await workplace()
const stages = smallStages(folder)
const table = (name: string) => join(folder, 'tiny', `${name}.parquet`)

/** Numbers anywhere in results, with their paths; `null` is a metric of no rows. */
function numbersIn(value: unknown, path = ''): [string, number | null][] {
  if (typeof value === 'number' || value === null) return [[path, value]]
  return typeof value === 'object' ? Object.entries(value).flatMap(([key, v]) => numbersIn(v, `${path}.${key}`)) : []
}

await onEachEngine('the chain of stages', ({ name: engine }) => {
  const run = (stage: string) => join(folder, engine, stage)
  const ended: Record<string, Ended> = {}

  before(async () => {
    // The engine is named once by the flag and once by the environment.
    const flag = ['--engine', engine, '--json', '--out']
    ended['pretrain'] = await mim([...stages.pretrain, ...flag, run('pretrain')])
    ended['sft'] = await mim([...stages.sft, '--init', run('pretrain'), ...flag, run('sft')])
    ended['embed'] = await mim([...stages.embed, '--checkpoint', run('sft'), '--json', '--out', run('embed')])
    const ctr = [...stages.ctr, '--embeddings', run('embed'), '--json', '--out', run('ctr')]
    ended['ctr'] = await mim(ctr, { MIM_ENGINE: engine })
  })

  test('when stages follow one another then each prints one JSON object of finite metrics, and logs apart', () => {
    for (const [stage, { code, stdout, stderr }] of Object.entries(ended)) {
      assert.equal(code, 0, stderr)
      const results = JSON.parse(stdout)
      assert.equal(stdout.trim().split('\n').length, 1, stage)
      for (const [path, value] of numbersIn(results)) {
        // In this data set every item has a vector, and a bucket of its few impressions may lack clicks.
        const isOfOneClass = path === '.auc_without_vector' || /^\.by_\w+\.\d+\.auc$/.test(path)
        if (!isOfOneClass) assert.ok(Number.isFinite(value), `${stage} ${path}: ${value}`)
      }
      if (stage !== 'embed') assert.equal(results.engine, engine)
      assert.deepEqual(JSON.parse(readFileSync(join(run(stage), 'metrics.json'), 'utf8')), results)
      assert.ok(stderr.length > 0)
    }
    const { auc, auc_low, auc_high, logloss, test_impressions } = JSON.parse(ended['ctr'].stdout)
    assert.ok(0 < auc_low && auc_low < auc && auc < auc_high && auc_high < 1)
    assert.ok(logloss > 0 && test_impressions > 0)
  })

  test('when a stage is done then its folder holds configuration, log, history, checkpoint and last state', async () => {
    const encoder = [
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'preprocessor_config.json',
      'mim.safetensors',
    ]
    const trained = ['config.yaml', 'metrics.json', 'log.jsonl', 'history.parquet', 'last/trainer_state.json']
    const expected: Record<string, string[]> = {
      pretrain: [...trained, ...encoder.map((name) => `checkpoint/${name}`)],
      sft: [...trained, ...encoder.map((name) => `checkpoint/${name}`)],
      embed: ['config.yaml', 'metrics.json', 'log.jsonl', 'embeddings/part-00000.parquet'],
      ctr: [...trained, 'checkpoint/config.json', 'checkpoint/model.safetensors', 'predictions.parquet'],
    }
    for (const [stage, names] of Object.entries(expected)) {
      assert.deepEqual(missing(run(stage), names), [], stage)
      const config = parse(readFileSync(join(run(stage), 'config.yaml'), 'utf8'))
      assert.deepEqual([config.stage, config.data.root], [stage, join(folder, 'tiny')])
      const log = readFileSync(join(run(stage), 'log.jsonl'), 'utf8')
        .trim()
        .split('\n')
      assert.ok(log.every((line) => JSON.parse(line).stage === stage))
    }
    for (const stage of ['pretrain', 'sft', 'ctr']) {
      const history = { history: join(run(stage), 'history.parquet') }
      const rows = await query<{ step: bigint; loss: number }>(
        'SELECT step, loss FROM {history} ORDER BY step',
        history,
      )
      const { steps } = JSON.parse(ended[stage].stdout)
      assert.deepEqual(
        rows.map(({ step }) => Number(step)),
        Array.from({ length: steps }, (_, i) => i + 1),
      )
      assert.ok(rows.every(({ loss }) => Number.isFinite(loss)))
    }
  })

  test('when items are embedded then the table has a row for each, with unit vectors for what it has', async () => {
    const files = { table: join(run('embed'), 'embeddings/*.parquet'), items: table('items') }
    const norm = (column: string) => `sqrt(list_sum(list_transform(t.${column}, lambda x: x * x)))`
    const rows = await query<Record<string, unknown>>(
      `SELECT i.item_id = t.item_id AS found, (i.title IS NULL) = (t.text_embedding IS NULL) AS text,
         (i.image IS NULL) = (t.image_embedding IS NULL) AS image, len(t.embedding) = 12 AS width,
         abs(${norm('embedding')} - 1) < 1e-5 AND abs(coalesce(${norm('image_embedding')}, 1) - 1) < 1e-5
           AND abs(coalesce(${norm('text_embedding')}, 1) - 1) < 1e-5 AS unit,
         t.model_version <> '' AND t.content_hash <> '' AS named
       FROM {items} i FULL JOIN {table} t USING (item_id)`,
      files,
    )
    const { items, model_version, computed } = JSON.parse(ended['embed'].stdout)
    assert.deepEqual([rows.length, items, computed], [120, 120, 120])
    for (const row of rows) assert.ok(Object.values(row).every(Boolean), JSON.stringify(row))
    const order = await query<{ sorted: boolean; version: string }>(
      'SELECT list(item_id) = list_sort(list(item_id)) AS sorted, any_value(model_version) AS version FROM {table}',
      files,
    )
    assert.deepEqual(order, [{ sorted: true, version: model_version }])
    const [{ lacking }] = await query<{ lacking: bigint }>(
      'SELECT count(*) FILTER (title IS NULL OR image IS NULL) AS lacking FROM {items}',
      files,
    )
    assert.ok(lacking > 0n, 'the data set has items without picture or title')
  })

  test('when a click model is trained then the test period is there with ids, labels and probabilities', async () => {
    const files = { scored: join(run('ctr'), 'predictions.parquet'), impressions: table('impressions') }
    const { test_impressions } = JSON.parse(ended['ctr'].stdout)
    const [found] = await query<Record<string, unknown>>(
      `SELECT count(*) AS rows, bool_and(probability > 0 AND probability < 1) AS probable,
         (SELECT [sum(label), count(DISTINCT user_id), count(DISTINCT item_id)] FROM
           (SELECT * FROM {impressions} ORDER BY ts DESC LIMIT ${test_impressions})) =
           [sum(label), count(DISTINCT user_id), count(DISTINCT item_id)] AS same FROM {scored}`,
      files,
    )
    assert.deepEqual(found, { rows: BigInt(test_impressions), probable: true, same: true })
    const columns = await query<{ column_name: string; column_type: string }>('DESCRIBE SELECT * FROM {scored}', files)
    assert.deepEqual(
      columns.map(({ column_name, column_type }) => [column_name, column_type]),
      [
        ['user_id', 'VARCHAR'],
        ['item_id', 'BIGINT'],
        ['label', 'UTINYINT'],
        ['probability', 'FLOAT'],
      ],
    )
  })
})
