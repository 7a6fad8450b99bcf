import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { run as check } from '../../src/commands/embed/check.js'
import { run as neighbors } from '../../src/commands/embed/neighbors.js'
import { EmbeddingTable } from '../../src/store/index.js'
import { temporaryFolder } from '../sample/folders.js'
import { madeTable } from '../store/madeTable.js'
import { assertRefused } from './refused.js'

const folder = await temporaryFolder()
const at = (name: string) => join(folder, name)
const ids = [1n, 2n, 3n]
for (const [name, width] of [
  ['table', 8],
  ['wider', 9],
] as const) {
  const table = await madeTable(at(name), 'BIGINT', ids, 'float32', () => new Float32Array(width).fill(1 / width))
  table.close()
}

test('when neighbors are asked for without one query, or with none to list, then it is refused', async () => {
  const ask = (flags: object) => () => neighbors(at('table'), { k: 1, recallItems: 1, ...flags })
  await assertRefused(ask({}), 'query-missing', /--item.+--text/)
  await assertRefused(ask({ item: '1', text: 'red' }), 'query-missing', /--item.+--text/)
  for (const k of [0, 1.5]) await assertRefused(ask({ item: '1', k }), 'k-value', new RegExp(`^-k: ${k}; `))
  for (const recallItems of [0, -1, 'abc', '']) {
    await assertRefused(ask({ item: '1', recallItems }), 'k-value', new RegExp(`^--recall-items: ${recallItems}; `))
  }
})

test('when tables of different widths are compared then tables-differ', () => {
  const flags = { data: folder, items: 'items.parquet', idColumn: 'item_id', categoryColumn: 'category' }
  const run = () => check(at('table'), { ...flags, against: at('wider') })
  return assertRefused(run, 'tables-differ', /wider: .*9 .+; expected .*8 /)
})

test('when a table is of another format then it is to be written again', async () => {
  const manifest = join(at('wider'), 'manifest.json')
  await writeFile(manifest, JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), format: 99 }))
  await assertRefused(() => EmbeddingTable.open(at('wider')), 'store-format', /format 99; expected format \d+/)
})
