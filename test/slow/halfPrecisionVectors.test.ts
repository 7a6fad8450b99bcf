import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { query, smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const { pretrain, embed } = smallStages(folder)
const checkpoint = ['--checkpoint', join(folder, 'pretrain')]
const at = (name: string) => join(folder, name)

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', at('pretrain')])
})

const vectorsOf = (out: string) => readFileSync(join(out, 'table/embedding.npy'))

const parquetOf = (out: string) =>
  query<{ item_id: bigint; embedding: number[] }>('SELECT * FROM {table} ORDER BY item_id', {
    table: join(out, 'embeddings/*.parquet'),
  })

test('when products are in float16 then vectors are as good as those of float32, and the model version says so', async () => {
  const [exact, half] = [at('exact'), at('half')]
  const first = await mimJson([...embed, ...checkpoint, '--out', exact])
  const second = await mimJson([...embed, ...checkpoint, '--precision', 'fp16', '--out', half])
  assert.equal(second['model_version'], `${first['model_version']}-fp16`)
  const rows = await parquetOf(half)
  const cosines = (await parquetOf(exact)).map(({ embedding }, i) =>
    embedding.reduce((sum, x, k) => sum + x * rows[i].embedding[k], 0),
  )
  assert.ok(Math.min(...cosines) > 0.9999, `${Math.min(...cosines)}`)
  assert.ok(!vectorsOf(exact).equals(vectorsOf(half)))
  const again = await mimJson([...embed, ...checkpoint, '--precision', 'fp16', '--out', half])
  assert.equal(again['computed'], 0)
  const { code, stderr } = await mim(['neighbors', half, ...checkpoint, '--text', 'red', '-k', '2'])
  assert.equal(code, 0, stderr)
})
