import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { openWeights, type Weights } from '../../src/checkpoint/weights.js'
import { Database, literal } from '../../src/data/tables/duckdb.js'
import { mim, mimJson } from '../commands/cli.js'
import { missing, query, smallStages, workplace } from '../e2e/stages.js'
import { onEachEngine } from '../engines.js'
import { refusal } from '../refusal.js'

/** Tensors of the checkpoint `a` that have other values in `b`; `b` must have them all. */
function changedTensors(a: string, b: string): string[] {
  const [first, last] = [openWeights(a), openWeights(b)]
  const values = (weights: Weights, name: string) => weights.read({ name, shape: weights.shape(name) })
  const changed = first.names.filter((name) => !isDeepStrictEqual(values(first, name), values(last, name)))
  for (const weights of [first, last]) weights.close()
  return changed
}

const folder = await workplace()
const stages = smallStages(folder)
const source = `read_parquet(${literal(join(folder, 'tiny', 'items.parquet'))})`
const table = (name: string) => join(folder, `${name}.parquet`)
const catalogue = (name: string) => ['--set', `data.items=${JSON.stringify(table(name))}`]

before(async () => {
  const db = await Database.open()
  const write = (name: string, what: string) =>
    db.run(`COPY (SELECT ${what} FROM ${source}) TO ${literal(table(name))} (FORMAT parquet)`)
  await write('titles', 'item_id, title, category')
  await write('pictures', 'item_id, image, NULL::INTEGER AS title')
  await write(
    'apart',
    'item_id, CASE WHEN item_id % 2 = 0 THEN image END AS image, CASE WHEN item_id % 2 = 1 THEN title END AS title',
  )
  await write('bare', 'item_id')
  db.close()
})

await onEachEngine('a catalogue of one modality', ({ name: engine }) => {
  for (const [name, other] of [
    ['titles', 'image'],
    ['pictures', 'text'],
  ] as const) {
    test(`when a catalogue has ${name} alone then a whole model learns from two views, and embeds it`, async () => {
      const run = join(folder, engine, name)
      await mimJson([...stages.pretrain, ...catalogue(name), '--engine', engine, '--out', run])
      const [{ first, last }] = await query<{ first: number; last: number }>(
        'SELECT arg_min(loss, step) AS first, arg_max(loss, step) AS last FROM {history}',
        { history: join(run, 'history.parquet') },
      )
      assert.ok(last < first, `loss from ${first} to ${last}`)
      const found = JSON.parse(await readFile(join(run, 'metrics.json'), 'utf8'))
      assert.ok(found.after_view_mrr > 0.2 && found.after_view_mrr <= 1, `${found.after_view_mrr}`)
      const files = ['model.safetensors', 'mim.safetensors'].map((file) => join('checkpoint', file))
      assert.deepEqual(missing(run, files), [])
      const out = join(folder, engine, `${name}-embedded`)
      const embedded = await mimJson([...stages.embed, ...catalogue(name), '--checkpoint', run, '--out', out])
      assert.ok(Number(embedded['computed']) > 100)
      const [{ lacking }] = await query<{ lacking: boolean }>(
        `SELECT bool_and(${other}_embedding IS NULL) AS lacking FROM {vectors}`,
        { vectors: join(out, 'embeddings/*.parquet') },
      )
      assert.equal(lacking, true)
    })

    test(`when a catalogue has ${name} alone then C-SFT learns from sessions and leaves the other tower as it was`, async () => {
      const [init, run] = [join(folder, engine, name), join(folder, engine, `${name}-sft`)]
      const sessions = ['--set', 'positives.sources=[session]', '--init', init]
      const sft = [...stages.sft, ...catalogue(name), ...sessions, '--engine', engine]
      await mimJson([...sft, '--epochs', '1', '--out', run])
      const changed = changedTensors(join(init, 'checkpoint'), join(run, 'checkpoint'))
      const tower = other === 'image' ? /^(vision_model|visual_projection)/ : /^text_/
      assert.ok(changed.length > 0)
      assert.deepEqual(
        changed.filter((tensor) => tower.test(tensor)),
        [],
      )
      const only = (level: string) => Object.entries({ fused: 0, image: 0, text: 0, [level]: 1 })
      const set = only(other).flatMap(([level, weight]) => ['--set', `levels.${level}=${weight}`])
      const { code, stderr } = await mim([...sft, ...set, '--out', join(folder, 'refused')])
      assert.equal(code, 2)
      assert.match(stderr, /error \[levels-none\]: levels\.fused is 0/)
    })
  }
})

test('when nothing can be learned from a catalogue then pretrain says why', async () => {
  const refused = (name: string, id: string, ...more: string[]) =>
    refusal([...stages.pretrain, ...catalogue(name), ...more], join(folder, 'refused'), id)
  assert.match(
    await refused('apart', 'modalities-apart'),
    /\d+ items have a picture, \d+ others a title, and none has both/,
  )
  assert.match(await refused('titles', 'views-equal', '--set', 'augment.dropWords=0'), /set augment\.dropWords/)
  assert.match(await refused('bare', 'items-few'), /0 items have a title/)
})
