import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { query, workplace } from '../e2e/stages.js'
import { writeVectors } from '../stages/ctr/vectors.js'

const folder = await workplace()
const [data, out] = [join(folder, 'tiny'), join(folder, 'grid')]
const file = join(folder, 'grid.yaml')
const arguments_ = ['ctr', 'grid', '-c', file, '--data', data, '--out', out]

interface Row {
  row: string
  vectors: string
  seeds: number
  auc: number
  auc_sd: number
  over_base?: Record<string, { difference: number; low: number; high: number }>
}

const aucOf = (run: string, seed: number) =>
  JSON.parse(readFileSync(join(out, 'runs', run, `seed-${seed}`, 'metrics.json'), 'utf8')).auc as number

let rows: Row[]

before(async () => {
  for (const seed of [1, 2]) await writeVectors(join(data, 'items.parquet'), join(folder, `vectors-${seed}.parquet`))
  const lines = [
    'set: { train.epochs: 1, train.batch: 256, model.dim: 4, model.head: [8], evaluation.resamples: 0 }',
    'seeds: [1, 2]',
    `vectors: { of the seed: '${join(folder, 'vectors-{seed}.parquet')}' }`,
    'base: DIN',
    'rows:',
    '  - { name: content, vectors: [of the seed], set: { model.name: content } }',
    '  - { name: DIN, set: { model.name: din } }',
    '  - { name: CUBE, vectors: [of the seed], set: { model.name: content, model.cube: true } }',
  ]
  writeFileSync(file, lines.join('\n'))
  const grid = (await mimJson(arguments_)) as { base: string; rows: Row[] }
  assert.equal(grid.base, 'DIN')
  rows = grid.rows
})

test('when a grid was trained then each row has mean and deviation over its seeds and the difference to the base', () => {
  assert.deepEqual(
    rows.map(({ row, vectors, seeds }) => [row, vectors, seeds]),
    [
      ['content', 'of the seed', 2],
      ['DIN', '', 2],
      ['CUBE', 'of the seed', 2],
    ],
  )
  const of = (run: string) => [aucOf(run, 1), aucOf(run, 2)]
  const [content, din] = [of('content-of-the-seed'), of('din')]
  const mean = ([a, b]: number[]) => (a + b) / 2
  assert.equal(rows[0].auc, mean(content))
  assert.ok(Math.abs(rows[0].auc_sd - Math.abs(content[0] - content[1]) / Math.SQRT2) < 1e-12)
  const { difference, low, high } = rows[0].over_base!['auc']
  assert.ok(Math.abs(difference - (mean(content) - mean(din))) < 1e-12)
  assert.ok(low < difference && difference < high)
  assert.equal(rows[1].over_base, undefined)
  const metrics = JSON.parse(readFileSync(join(out, 'runs/din/seed-1/metrics.json'), 'utf8'))
  assert.ok(!('auc_low' in metrics), 'without resamples there is no interval')
})

test('when a grid is started again then nothing is trained again and the table is the same', async () => {
  const metrics = join(out, 'runs/din/seed-1/metrics.json')
  const written = statSync(metrics).mtimeMs
  const table = readFileSync(join(out, 'grid.md'), 'utf8')
  const { stdout, code } = await mim(arguments_)
  assert.equal(code, 0)
  assert.equal(stdout, table)
  assert.equal(statSync(metrics).mtimeMs, written)
  assert.deepEqual(
    await query('SELECT "row", seeds, auc, auc_over_base FROM {grid}', { grid: join(out, 'grid.parquet') }),
    rows.map(({ row, seeds, auc, over_base }) => ({
      row,
      seeds,
      auc,
      auc_over_base: over_base?.['auc'].difference ?? null,
    })),
  )
})

test('when two models are compared then the differences are those of the grid, with buckets of both', async () => {
  const sides = [join(out, 'runs/content-of-the-seed'), join(out, 'runs/din')]
  const comparison = await mimJson(['ctr', 'compare', ...sides])
  assert.deepEqual(comparison['differences'], rows[0].over_base)
  const buckets = comparison['by_item_frequency'] as { rows: number; a: number; b: number }[]
  const metrics = JSON.parse(readFileSync(join(sides[1], 'seed-1/metrics.json'), 'utf8'))
  assert.equal(
    buckets.reduce((sum, bucket) => sum + bucket.rows, 0),
    metrics.test_impressions,
  )
  const { stdout } = await mim(['ctr', 'compare', ...sides])
  assert.match(stdout, /^AUC +0\.\d{4} +0\.\d{4} +[+−]0\.\d{4} \[[+−]0\.\d{4}, [+−]0\.\d{4}\]$/m)
})

test('when runs of one model differ in an option then they are different models, not seeds of one model', async () => {
  const comparison = (await mimJson(['compare', out])) as unknown as { rows: { model: string; seeds: number }[] }
  const found = comparison.rows.map(({ model, seeds }) => [model, seeds])
  // The vectors of each seed are a table of unknown origin, so they count as different.
  assert.deepEqual(found.slice(0, 1), [['din', 2]])
  assert.deepEqual(
    found
      .slice(1)
      .map(([model]) => model)
      .sort(),
    ['content, model.cube false', 'content, model.cube false', 'content, model.cube true', 'content, model.cube true'],
  )
})

test('when a grid cannot be then one line says why before anything is trained', async () => {
  const cases: [string[], RegExp][] = [
    [['rows=[{ name: a, vectors: [b] }]'], /error \[grid-vectors\]: row 'a': vectors 'b'; expected .* of the seed/],
    [
      ['base=DINN'],
      /error \[grid-base\]: base 'DINN' is no row; expected content, of the seed \| DIN \| CUBE, of the seed/,
    ],
    [['rows=[{ name: a }, { name: A }]', 'base=null'], /error \[grid-names\]: two rows are called 'A'/],
    [['rows=[{ name: a, set: { model.nme: din } }]', 'base=null'], /error \[config\]: row 'a'.*'name'/s],
  ]
  for (const [sets, expected] of cases) {
    const { code, stderr } = await mim([...arguments_, ...sets.flatMap((set) => ['--set', set])])
    assert.equal(code, 2)
    assert.match(stderr, expected)
  }
  const { code, stderr } = await mim(['ctr', 'compare', data, data])
  assert.equal(code, 2)
  assert.match(stderr, /error \[runs-missing\]/)
})
