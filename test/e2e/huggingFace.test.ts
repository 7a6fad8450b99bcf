import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { mimJson } from '../commands/cli.js'
import { sharedFile } from '../fixtures.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
const { embed } = smallStages(folder)

interface Row {
  embedding: number[]
  image: number[] | null
  text: number[] | null
}

const norm = (vector: readonly number[]) => Math.hypot(...vector)

for (const name of ['hf-clip', 'hf-chinese_clip', 'hf-siglip']) {
  const { path, skip } = sharedFile(`fixtures/${name}`)
  test(`when ${name}, a bare Hugging Face folder, embeds then an item is the mean of its unit vectors`, {
    skip,
  }, async () => {
    const out = join(folder, name)
    const { computed, width } = await mimJson([...embed, '--checkpoint', path, '--out', out])
    const rows = await query<Row>('SELECT embedding, image_embedding AS image, text_embedding AS text FROM {table}', {
      table: join(out, 'embeddings/*.parquet'),
    })
    assert.deepEqual([rows.length, computed], [120, 120])
    for (const { embedding, image, text } of rows) {
      const present = [image, text].filter((vector) => vector !== null)
      for (const vector of [embedding, ...present]) {
        assert.equal(vector.length, width)
        assert.ok(Math.abs(norm(vector) - 1) < 1e-5)
      }
      const sum = embedding.map((_, k) => present.reduce((total, vector) => total + vector[k], 0))
      const length = norm(sum)
      assert.ok(embedding.every((value, k) => Math.abs(value - sum[k] / length) < 1e-5))
    }
    assert.ok(rows.some(({ image }) => image === null) && rows.some(({ text }) => text === null))
  })
}
