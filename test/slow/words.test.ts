import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { query, smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const { pretrain, embed } = smallStages(folder)
const out = join(folder, 'embed')
const [content, words] = [12, 16]

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', join(folder, 'pretrain')])
})

const embedded = async (share: number) => {
  const checkpoint = ['--checkpoint', join(folder, 'pretrain')]
  const metrics = await mimJson([...embed, ...checkpoint, '--words', `${share}`, '--out', out])
  const sql = 'SELECT embedding, text_embedding IS NOT NULL AS text FROM {table} ORDER BY item_id'
  const table = join(out, 'embeddings/*.parquet')
  return { metrics, rows: await query<{ embedding: number[]; text: boolean }>(sql, { table }) }
}

const product = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, k) => sum + x * b[k], 0)
const unit = (x: readonly number[]) => x.map((value) => value / Math.sqrt(product(x, x)))

test('when words count for a share then cosines are so much those of the words, and the rest those of before', async () => {
  const plain = await embedded(0)
  assert.equal(plain.metrics['width'], content)
  const half = await embedded(0.5)
  const third = await embedded(0.3)
  // Vectors of another share are others, though as wide.
  assert.equal(half.metrics['computed'], third.metrics['computed'])
  assert.match(String(third.metrics['model_version']), new RegExp(`^${plain.metrics['model_version']}-words0\\.3$`))
  assert.equal(third.metrics['width'], content + words)
  const titled = third.rows.flatMap(({ text }, i) => (text ? [i] : []))
  assert.ok(titled.length < third.rows.length, 'some items have no title')
  for (const [i, { embedding, text }] of third.rows.entries()) {
    const own = plain.rows[i].embedding
    const share = text ? 0.3 : 0
    assert.ok(Math.abs(product(embedding, embedding) - 1) < 1e-5, `norm of ${i}`)
    assert.ok(Math.abs(product(embedding.slice(content), embedding.slice(content)) - share) < 1e-5, `words of ${i}`)
    const rest = embedding.slice(0, content)
    assert.ok(Math.abs(product(rest, own) - Math.sqrt(1 - share)) < 1e-5, `content of ${i}`)
    if (!text) continue
    // Words of the same title are the same, whatever they count.
    const [one, other] = [embedding, half.rows[i].embedding].map((vector) => unit(vector.slice(content)))
    assert.ok(Math.abs(product(one, other) - 1) < 1e-5)
  }
  const [first, second] = titled
  const of = (i: number) => third.rows[i].embedding
  const ofWords = product(unit(of(first).slice(content)), unit(of(second).slice(content)))
  const rest = product(plain.rows[first].embedding, plain.rows[second].embedding)
  assert.ok(Math.abs(product(of(first), of(second)) - (0.3 * ofWords + 0.7 * rest)) < 1e-5)
})

test('when a title is looked for among vectors with words then an item of this title alone has the same vector', async () => {
  await embedded(0.3)
  const [{ title }] = await query<{ title: string }>(
    'SELECT title FROM {items} WHERE title IS NOT NULL AND image IS NULL ORDER BY item_id LIMIT 1',
    { items: join(folder, 'tiny/items.parquet') },
  )
  const found = await mimJson(['neighbors', out, '--text', title, '-k', '1'])
  const [{ score }] = found['neighbors'] as unknown as { score: number }[]
  assert.ok(score > 1 - 1e-5, `${score}`)
})

test('when vectors are to be cut and to hold words then the run says that words would be lost', async () => {
  const options = ['--words', '0.3', '--set', 'dim=8', '--out', join(folder, 'cut')]
  const { code, stderr } = await mim([...embed, '--checkpoint', join(folder, 'pretrain'), ...options])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^error \[dim-value\]: dim: 8 dimensions would cut off the word vectors that words = 0.3 appends/m,
  )
})
