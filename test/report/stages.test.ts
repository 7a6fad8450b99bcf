import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { z } from 'zod'
import { run as compare } from '../../src/commands/compare.js'
import { ctrConfig } from '../../src/config/ctr.js'
import { embedConfig } from '../../src/config/embed.js'
import { pretrainConfig } from '../../src/config/pretrain.js'
import { sftConfig } from '../../src/config/sft.js'
import { Database, literal } from '../../src/data/tables/duckdb.js'
import { meaningOf } from '../../src/metrics/index.js'
import { generateSample } from '../../src/sample/index.js'
import { ctr } from '../../src/stages/ctr/stage.js'
import { embed } from '../../src/stages/embed/stage.js'
import { pretrain } from '../../src/stages/pretrain/stage.js'
import { sft } from '../../src/stages/sft/stage.js'
import { type Metrics, Run } from '../../src/train/run.js'
import { all, type Element, read } from './reading.js'

const root = await mkdtemp(join(tmpdir(), 'mim-report-'))
after(() => rm(root, { recursive: true, force: true }))
const data = { root: join(root, 'data') }
await generateSample({ out: data.root, size: 'tiny', seed: 1 }, () => {})
const catalogue = { ...data, cache: join(root, 'cache') }
const checkpoint = join(root, 'pretrain', 'checkpoint')

/** Runs a stage as its command does; returns the report. */
async function reportOf<S extends z.ZodType<Record<string, unknown>>>(
  name: string,
  schema: S,
  options: object,
  work: (config: z.output<S>, run: Run) => Promise<Metrics>,
): Promise<Element> {
  const config = schema.parse(options)
  const out = join(root, name)
  const names = await Run.with({ out, stage: name, config }, async (run) => {
    const metrics = await work(config, run)
    await run.finish(metrics)
    return [metrics, ...run.history.rows].flatMap((values) => Object.keys(values))
  })
  assert.deepEqual(
    names.filter((name) => !meaningOf(name)),
    [],
    'metrics without a definition in src/metrics/definitions.ts',
  )
  return read(readFileSync(join(out, 'report.html'), 'utf8'))
}

const headings = (page: Element) => all(page, 'h2').map(({ text }) => text)
const pictures = (page: Element) => all(page, 'img').map(({ attributes }) => attributes['src'])

test('when pretraining ends then its report shows recalls, what was found for held-out items, and curves', async () => {
  const model = { imageSize: 16, width: 16, layers: 1, heads: 1, projection: 16, textLength: 8, vocabulary: 514 }
  const train = { epochs: 1, batch: 32, logEvery: 1 }
  const page = await reportOf('pretrain', pretrainConfig, { data: catalogue, model, train }, pretrain)
  assert.deepEqual(headings(page), [
    'Warnings',
    'Retrieval',
    'Quality of the vectors',
    'Titles found for pictures',
    'Pictures found for titles',
    'Learning curves',
    'Data',
    'All results',
  ])
  // Eight pictures that titles were found for, and seven found for each of four titles.
  assert.equal(pictures(page).length, 8 + 4 * 7)
  for (const source of pictures(page)) assert.match(source, /^data:image\/jpeg;base64,.{100}/)
  const metrics = JSON.parse(readFileSync(join(root, 'pretrain', 'metrics.json'), 'utf8')) as Metrics
  for (const name of [
    'before_image_to_title_recall_10',
    'after_title_to_image_recall_10',
    'before_zero_shot_accuracy',
    'best_step',
  ]) {
    assert.ok(Number.isFinite(metrics[name]), name)
  }
})

test('when C-SFT ends then its report shows for each kind of query the query, the target and what is found', async () => {
  const train = { epochs: 0.05, batch: 16 }
  const positives = {
    sources: ['query-purchase', 'query-click', 'session'],
    mixture: { image: 1, text: 1, product: 1 },
  }
  const small = { negatives: { queue: 0, hard: 0 }, evaluation: { queries: 60 } }
  const options = { data: catalogue, init: checkpoint, train, positives, ...small }
  const page = await reportOf('sft', sftConfig, options, sft)
  assert.deepEqual(headings(page), ['Warnings', 'Retrieval', 'What is found', 'Learning curves', 'Data', 'All results'])
  const [, recalls, searches] = all(page, 'section')
  assert.deepEqual(
    all(recalls, 'figcaption').map(({ children: [title] }) => title.text),
    ['Query: image', 'Query: text', 'Query: product'],
  )
  const queries = all(searches, 'div', 'query').map(({ text }) => /query: (image|text|product)/.exec(text)?.[1])
  assert.deepEqual(queries, ['image', 'image', 'text', 'text', 'product', 'product'])
  assert.ok(pictures(searches).length > 30)
})

test('when vectors are made then the report counts modalities and shows neighbors', async () => {
  const page = await reportOf('embed', embedConfig, { data, checkpoint, provider: 'cpu' }, embed)
  assert.deepEqual(headings(page), ['Items', 'Nearest neighbors', 'Data', 'All results'])
  assert.equal(all(page, 'ol').length, 6)
  for (const list of all(page, 'ol')) assert.equal(list.children.length, 7)
  const cells = new Map(all(page, 'tr').map(({ children: [name, value] }) => [name.text, Number(value.text)]))
  const sum = ['both', 'picture_only', 'title_only', 'empty'].reduce((total, name) => total + cells.get(name)!, 0)
  assert.equal(sum, cells.get('items'))
})

test('when no item has a picture then the report lacks the gallery and nothing else', async () => {
  const db = await Database.open()
  const items = join(root, 'titles.parquet')
  await db.run(`COPY (SELECT item_id, title FROM ${literal(join(data.root, 'items.parquet'))})
    TO ${literal(items)} (FORMAT parquet)`)
  db.close()
  const page = await reportOf('titles', embedConfig, { data: { items }, checkpoint, provider: 'cpu' }, embed)
  assert.deepEqual(headings(page), ['Items', 'Data', 'All results'])
})

test('when a click model is trained then its report shows buckets, calibration, ROC curve and majority', async () => {
  const page = await reportOf('ctr', ctrConfig, { data, model: { name: 'din' }, train: { epochs: 1 } }, ctr)
  assert.deepEqual(headings(page), [
    'AUC by segment',
    'Calibration and ROC',
    'Comparison with a constant',
    'Learning curves',
    'Data',
    'All results',
  ])
})

test('when runs are compared into a folder then there is a report next to the summary', async () => {
  const out = join(root, 'compared')
  await compare([root], { out })
  const page = read(readFileSync(join(out, 'report.html'), 'utf8'))
  const [model] = all(page, 'tbody')[0].children
  assert.match(model.text, /^dinnone1/)
  // Synthetic data have an oracle AUC, and runs of the other stages have their recalls.
  assert.match(page.text, /oracle 0\.\d{4}/)
  assert.match(page.text, /picture → title, recall@10\d.*query → chosen item, recall@10\d/)
})

test('when a part of the report fails then the run ends well without it', async () => {
  const out = join(root, 'broken')
  await Run.with({ out, stage: 'ctr', config: {} }, async (run) => {
    await run.show(() => {
      throw new Error('no ink')
    })
    await run.finish({ auc: 0.5 })
  })
  assert.ok(existsSync(join(out, 'metrics.json')))
  assert.match(readFileSync(join(out, 'report.html'), 'utf8'), /0\.5000/)
  assert.match(readFileSync(join(out, 'log.jsonl'), 'utf8'), /the report lacks a part: no ink/)
})
