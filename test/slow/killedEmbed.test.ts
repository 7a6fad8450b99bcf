/** MIM_KILLS=20 tries more moments than the default 3. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { EmbeddingTable } from '../../src/store/index.js'
import { mimJson, mimUntil } from '../commands/cli.js'
import { query, smallStages, workplace } from '../e2e/stages.js'

const kills = Number(process.env['MIM_KILLS'] ?? 3)
const folder = await workplace()
const { pretrain, embed } = smallStages(folder)
const at = (name: string) => join(folder, name)
const arrays = ['item_id', 'embedding', 'image_embedding', 'text_embedding', 'content_hash', 'present']
const run = [...embed, '--checkpoint', at('pretrain'), '--batch', '8']
const changed = ['--data', at('changed')]

/** All numbers of the published table, which must open; and its Parquet rows. */
async function published(out: string) {
  EmbeddingTable.open(join(out, 'embeddings')).close()
  const numbers = arrays.map((name) => readFileSync(join(out, 'table', `${name}.npy`)))
  const [{ rows, hash }] = await query<{ rows: bigint; hash: bigint }>(
    'SELECT count(*) AS rows, bit_xor(hash(t)) AS hash FROM (SELECT * FROM {table}) t',
    { table: join(out, 'embeddings/*.parquet') },
  )
  return { numbers: Buffer.concat(numbers).toString('base64'), rows, hash }
}

let [older, newer, milliseconds] = [{}, {}, 0]

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', at('pretrain')])
  await mimJson([...run, '--out', at('old')])
  older = await published(at('old'))
  mkdirSync(at('changed'))
  await query(
    `COPY (SELECT * REPLACE (item_id * 1000 + copy AS item_id, concat(title, ' ', copy) AS title)
       FROM {items}, range(8) r(copy)) TO '${at('changed')}/items.parquet' (FORMAT parquet)`,
    { items: at('tiny/items.parquet') },
  )
  cpSync(at('old'), at('new'), { recursive: true, verbatimSymlinks: true })
  const started = Date.now()
  await mimJson([...run, ...changed, '--out', at('new')])
  milliseconds = Date.now() - started
  newer = await published(at('new'))
})

test(`when mim embed is killed at ${kills} moments then the table is the old or the new one, and the next run ends as if undisturbed`, async () => {
  const random = Random.of('moments')
  const out = at('killed')
  let [olds, resumed] = [0, 0]
  for (let i = 0; i < kills; i++) {
    rmSync(out, { recursive: true, force: true })
    cpSync(at('old'), out, { recursive: true, verbatimSymlinks: true })
    const moment = Date.now() + ((i + random.uniform()) / kills) * milliseconds
    await mimUntil([...run, ...changed, '--out', out], () => Date.now() >= moment, 'SIGKILL')
    const found = await published(out)
    const isOld = JSON.stringify(found, text) === JSON.stringify(older, text)
    if (isOld) olds++
    else assert.deepEqual(found, newer)
    const metrics = await mimJson([...run, ...changed, '--out', out])
    if (Number(metrics['resumed']) > 0) resumed++
    assert.deepEqual(await published(out), newer)
  }
  assert.ok(olds > 0)
  process.stderr.write(`${kills} kills: ${olds} left the old table, ${resumed} runs went on from what was done\n`)
})

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
