/** Extractions whose earlier files are spoilt: they are made again, and a line says so. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkTable } from '../../../src/stages/embed/check.js'
import { EmbeddingTable } from '../../../src/store/index.js'
import { writeSmallCheckpoint } from '../../checkpoint/small.js'
import { runHere } from '../../refusal.js'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'

const [db, folder] = [await openDatabase(), await temporaryFolder()]
const [out, model] = [join(folder, 'run'), join(folder, 'model')]
writeSmallCheckpoint(model)
const titles = "CASE i % 4 WHEN 0 THEN 'red shoes' WHEN 1 THEN 'blue mug' WHEN 2 THEN 'red mug' ELSE 'blue shoes' END"
await db.writeParquet(`SELECT i AS item_id, ${titles} || i AS title FROM range(40) r(i)`, join(folder, 'items.parquet'))
const args = [
  'embed',
  '--data',
  folder,
  '--checkpoint',
  model,
  '--out',
  out,
  '--set',
  'threads=1',
  '--set',
  'batch=64',
  '--json',
]

async function embed(): Promise<{ stderr: string; metrics: Record<string, number> }> {
  const { code, stderr } = await runHere(args)
  assert.equal(code, undefined, stderr)
  return { stderr, metrics: JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')) }
}

/** Changes a file of the published table; gives the folder of the table. */
function spoil(name: string, change: (bytes: Buffer) => Buffer | string): string {
  using table = EmbeddingTable.open(out)
  const path = join(table.folder, name)
  writeFileSync(path, change(readFileSync(path)))
  return table.folder
}

async function vectors(): Promise<Float32Array> {
  using table = EmbeddingTable.open(out)
  // A model that was never trained has vectors that are almost equal.
  const { checksums, problems } = await checkTable(db, table)
  assert.deepEqual([checksums, problems.filter((problem) => !/collapsed/.test(problem))], ['equal', []])
  return table.vectorsAt(Int32Array.from({ length: table.manifest.rows }, (_, i) => i))
}

test('when the published table is spoilt then all vectors are computed again, and a line names the file', async () => {
  await embed()
  const before = await vectors()
  const again = await embed()
  assert.deepEqual([again.metrics['computed'], again.metrics['unchanged']], [0, 40])
  const swap = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 128), bytes.subarray(136, 144), bytes.subarray(136)])
  for (const [name, change] of [
    ['embedding.npy', (bytes: Buffer) => bytes.subarray(0, 300)],
    ['manifest.json', () => 'null'],
    ['item_id.npy', swap],
  ] as const) {
    const table = spoil(name, change)
    const { stderr, metrics } = await embed()
    assert.ok(stderr.includes(`the published table is spoilt and not used: ${join(table, name)}: `), stderr)
    assert.deepEqual([metrics['computed'], metrics['unchanged']], [40, 0])
    assert.deepEqual(await vectors(), before)
  }
  // Someone followed the advice to remove it.
  using table = EmbeddingTable.open(out)
  rmSync(table.folder, { recursive: true })
  assert.equal((await embed()).metrics['computed'], 40)
})

test('when the published table has a NaN then the vectors of this item are computed again', async () => {
  await embed()
  const before = await vectors()
  spoil('text_embedding.npy', (bytes) => {
    bytes.writeFloatLE(Number.NaN, 128 + 4 * 8 * 5)
    return bytes
  })
  const { metrics } = await embed()
  assert.deepEqual([metrics['computed'], metrics['unchanged']], [1, 39])
  assert.deepEqual(await vectors(), before)
})

test('when the work of an interrupted extraction is spoilt then it starts again, and a line says so', async () => {
  for (const content of ['{"catalogue": ', Buffer.alloc(50)]) {
    mkdirSync(join(out, 'work'), { recursive: true })
    writeFileSync(join(out, 'work/state.json'), content)
    const { stderr } = await embed()
    assert.match(
      stderr,
      /vectors of the interrupted run are computed again, because a file is spoilt: .*work\/state\.json: /,
    )
    await vectors()
  }
})
