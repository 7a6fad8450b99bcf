import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { literal } from '../../src/data/tables/duckdb.js'
import { mim, mimJson } from '../commands/cli.js'
import { query, smallStages, workplace } from '../e2e/stages.js'
import { openDatabase } from '../sample/folders.js'

const folder = await workplace()
const stages = smallStages(folder)
const short = ['--engine', 'wasm', '--epochs', '0.3']
const table = (name: string) => join(folder, 'tiny', `${name}.parquet`)

/** Behaviors of which every fourth query picture is `instead`; who asks with one of them, asks with words too. */
async function behaviors(name: string, instead: string): Promise<void> {
  const db = await openDatabase()
  await db.run(`COPY (
    SELECT * REPLACE (CASE WHEN chosen THEN 'a thing' ELSE query_text END AS query_text,
                      CASE WHEN chosen THEN ${instead} ELSE query_image END AS query_image)
    FROM (SELECT *, coalesce(regexp_extract(query_image, '\\d+')::INTEGER % 4 = 0, false) AS chosen
          FROM read_parquet(${literal(table('behaviors'))}))
  ) TO ${literal(table(name))} (FORMAT parquet)`)
}

test('when query pictures are broken then training and judgment are as if nobody had asked with them', async () => {
  await behaviors('broken', "'query_images/none.jpg'")
  await behaviors('lacking', 'NULL')
  const pretrained = join(folder, 'pretrain')
  await mimJson([...stages.pretrain, ...short, '--out', pretrained])
  const trained = async (name: string) => {
    const out = join(folder, name)
    const tables = ['--set', `data.behaviors=${JSON.stringify(table(name))}`, '--set', 'data.maxBadImages=0.5']
    const { code, stdout, stderr } = await mim([
      ...stages.sft,
      ...tables,
      ...short,
      ...['--init', pretrained, '--json', '--out', out],
    ])
    assert.equal(code, 0, stderr)
    const { positives, seconds: _, data: _facts, warnings, ...metrics } = JSON.parse(stdout)
    const pairs = Object.values(positives as Record<string, number>).reduce((a, b) => a + b, 0)
    const losses = await query('SELECT step, loss FROM {history} ORDER BY step', {
      history: join(out, 'history.parquet'),
    })
    return { metrics, losses, pairs, stderr, warned: warnings.map(({ id }: { id: string }) => id) }
  }
  const [broken, lacking] = [await trained('broken'), await trained('lacking')]
  assert.deepEqual(broken.losses, lacking.losses)
  assert.deepEqual(broken.metrics, lacking.metrics)
  assert.ok(broken.warned.includes('pictures-broken') && !lacking.warned.includes('pictures-broken'))
  const [, dropped] = broken.stderr.match(/(\d+) left out because their query picture is broken/) ?? []
  assert.ok(Number(dropped) > 0, broken.stderr)
  assert.equal(Number(dropped), broken.pairs - lacking.pairs)
  assert.doesNotMatch(lacking.stderr, /left out/)
})
