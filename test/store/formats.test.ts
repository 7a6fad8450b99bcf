/** What an embedding table is written as for other readers. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { literal } from '../../src/data/tables/duckdb.js'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import type { Id } from '../../src/store/index.js'
import { pythonWith } from '../fixtures.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'
import { madeTable, vectorOf, width } from './madeTable.js'

const [db, folder] = [await openDatabase(), await temporaryFolder()]
const formats = { lists: 'fixed', safetensors: true } as const
const arrow = pythonWith('pyarrow')
const headerBytes = 128

const kinds = {
  BIGINT: { arrow: 'int64', id: (i: number): Id => BigInt(i) },
  UINTEGER: { arrow: 'uint32', id: (i: number): Id => BigInt(i) },
  VARCHAR: { arrow: 'string', id: (i: number): Id => `sku-${String(i).padStart(4, '0')}` },
}

const count = 3000
const types = ['float32', 'int8'] as const
const tables: { idType: string; arrowType: string; ids: Id[]; at: (type: string) => string }[] = []
for (const [idType, { arrow: arrowType, id }] of Object.entries(kinds)) {
  const ids = Array.from({ length: count }, (_, i) => id(i))
  const at = (type: string) => join(folder, `${type}-${idType}`)
  for (const type of types) (await madeTable(at(type), idType, ids, type, undefined, formats)).close()
  tables.push({ idType, arrowType, ids, at })
}

for (const { idType, arrowType, ids, at } of tables) {
  const part = (type: string) => join(at(type), 'parquet/part-00000.parquet')
  const numbers = (type: string, name: string) => readFileSync(join(at(type), `${name}.npy`)).subarray(headerBytes)

  describe(`Tables of ${idType} ids as other formats`, () => {
    test('when lists are fixed then DuckDB reads them as before, each of the same size', async () => {
      const rows = await db.rows<{ e: number[]; image: number[] | null }>(
        `SELECT CAST(embedding AS FLOAT[${width}]) AS e, image_embedding AS image
         FROM read_parquet(${literal(part('float32'))}) ORDER BY item_id`,
      )
      rows.forEach(({ e, image }, i) => {
        assert.deepEqual(e, Array.from(vectorOf(ids[i])))
        assert.equal(image === null, i % 3 === 0)
      })
    })

    for (const type of types) {
      test(`when lists of ${type} are fixed then Arrow reads them as such`, { skip: arrow.skip }, () => {
        const script = `import json, sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
types = {field.name: str(field.type) for field in table.schema}
rows = table.slice(0, 2)
print(json.dumps([types, rows['embedding'].to_pylist(), rows['image_embedding'].to_pylist()]))`
        const [columns, [first, second], images] = JSON.parse(arrow.run(script, part(type)))
        const list = `fixed_size_list<element: ${type === 'int8' ? type : 'float'}>[${width}]`
        assert.deepEqual(columns, {
          item_id: arrowType,
          ...{ embedding: list, image_embedding: list, text_embedding: list },
          ...{ model_version: 'string', content_hash: 'string' },
        })
        const stored = numbers(type, 'embedding')
        const held = stored.subarray(0, (2 * stored.length) / count)
        const read = type === 'int8' ? Int8Array.from([...first, ...second]) : Float32Array.from([...first, ...second])
        assert.ok(held.equals(Buffer.from(read.buffer)))
        assert.deepEqual(images, [null, second])
      })

      test(`when ${type} is written as safetensors then tensors are the arrays, and the metadata has the rest`, () => {
        const path = join(at(type), 'embeddings.safetensors')
        const file = new SafetensorsFile(path)
        const stored = type === 'int8' ? 'I8' : 'F32'
        for (const name of ['embedding', 'image_embedding', 'text_embedding']) {
          assert.deepEqual([file.dtype(name), file.shape(name)], [stored, [count, width]])
          assert.ok(file.raw(name).equals(numbers(type, name)), name)
        }
        assert.deepEqual([file.dtype('present'), file.shape('present')], ['U8', [count]])
        assert.ok(file.raw('present').equals(numbers(type, 'present')))
        file.close()
        const bytes = readFileSync(path)
        const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())))
        const { model_version, scale, ids: idFile } = header.__metadata__
        assert.deepEqual([model_version, Number(scale)], ['v1', type === 'int8' ? 1 / 127 : 1])
        assert.ok(existsSync(join(at(type), idFile)))
      })
    }
  })
}

test('when no format is set then lists are of variable length and there are no safetensors', async () => {
  const table = await madeTable(join(folder, 'plain'), 'BIGINT', [1n, 2n], 'float32')
  table.close()
  assert.equal(existsSync(join(folder, 'plain/embeddings.safetensors')), false)
  const path = literal(join(folder, 'plain/parquet/part-00000.parquet'))
  const schemas = await db.count(`parquet_kv_metadata(${path}) WHERE decode(key) = 'ARROW:schema'`)
  assert.equal(schemas, 0)
})
