import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { runHere } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

/** A new folder with these files. */
function folderOf(name: string, files: Record<string, string>): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(path, file, '..'), { recursive: true })
    writeFileSync(join(path, file), text)
  }
  return path
}

/** Runs a command that must be refused and leave the files of `kept` as they are. */
async function refused(args: readonly string[], id: string, message: RegExp, kept: string): Promise<void> {
  const before = readdirSync(kept, { recursive: true })
  const { code, stderr } = await runHere(args)
  assert.equal(code, 2, stderr)
  assert.match(stderr, new RegExp(`^error \\[${id}\\]: [^\\n]+\\n$`))
  assert.match(stderr, message)
  assert.deepEqual(readdirSync(kept, { recursive: true }), before)
}

const tables = { 'items.parquet': '', 'impressions.parquet': '', 'behaviors.parquet': '', 'more/vectors.parquet': '' }

test('when --out is or contains an input then out-input, with --overwrite too, and nothing is removed', async () => {
  const data = folderOf('shop/own', { ...tables, 'config.yaml': stringify({ stage: 'ctr' }) })
  const link = join(folder, 'link to shop')
  symlinkSync(join(folder, 'shop'), link)
  const model = folderOf('model', { 'config.json': '{}' })
  for (const more of [[], ['--overwrite']]) {
    for (const out of [data, join(data, '..'), relative('.', data), link])
      await refused(['ctr', '--data', data, '--out', out, ...more], 'out-input', /--out .*: data\.\w+ .*parquet/, data)
    const vectors = ['--embeddings', join(data, 'more/vectors.parquet')]
    await refused(['ctr', ...vectors, '--out', join(data, 'more'), ...more], 'out-input', /data\.embeddings/, data)
    const parts = ['--set', `data.impressions=${join(data, 'more/*.parquet')}`]
    await refused(['ctr', ...parts, '--out', join(data, 'more'), ...more], 'out-input', /data\.impressions/, data)
    await refused(['embed', '--checkpoint', model, '--out', model, ...more], 'out-input', /: checkpoint /, model)
    await refused(['sft', '--init', model, '--out', model, ...more], 'out-input', /: init /, model)
  }
})

test('when --overwrite meets files that are not of a run then out-no-run names them and nothing is removed', async () => {
  const run = { 'config.yaml': stringify({ stage: 'ctr' }), 'metrics.json': '{}', 'checkpoint/config.json': '{}' }
  const args = (out: string) => ['ctr', '--data', join(folder, 'none'), '--out', out, '--overwrite']
  const mixed = folderOf('mixed', { ...run, 'thesis.txt': '', 'raw/clicks.parquet': '' })
  await refused(args(mixed), 'out-no-run', /not of the run: raw, thesis\.txt; /, mixed)
  for (const config of ['model: {name: din}\n', 'stage: shop\n', '[', '']) {
    const own = folderOf(`own config ${config.length}`, { 'config.yaml': config, 'metrics.json': '{}' })
    await refused(args(own), 'out-no-run', /config\.yaml that names no stage/, own)
  }
})

test('when ctr predict would write over an input, or into its folder, then out-input', async () => {
  const files = { 'checkpoint/model.safetensors': '', 'onnx/model.onnx': '', 'metrics.json': '{}' }
  const run = folderOf('run of ctr', { ...files, 'config.yaml': stringify({ stage: 'ctr' }) })
  const data = folderOf('predicted', { ...tables, 'days/day=1/a.parquet': '' })
  const link = join(folder, 'link.parquet')
  symlinkSync(join(data, 'impressions.parquet'), link)
  const days = join(data, 'days')
  for (const [impressions, out] of [
    ['impressions.parquet', join(data, 'impressions.parquet')],
    ['impressions.parquet', relative('.', join(data, 'days/../impressions.parquet'))],
    ['impressions.parquet', link],
    ['impressions.parquet', join(data, 'items.parquet')],
    [days, join(days, 'scores.parquet')],
    [join(days, '*/*.parquet'), join(days, 'day=1/scores.parquet')],
    ['impressions.parquet', join(run, 'checkpoint/model.safetensors')],
    ['impressions.parquet', join(run, 'config.yaml')],
  ]) {
    const args = ['ctr', 'predict', run, '--data', data, '--impressions', impressions, '--out', out]
    await refused(args, 'out-input', /--out .*: this file is an input, or in the folder of one: /, folder)
  }
})

test('when mim compare would write into a run then out-input', async () => {
  const run = folderOf('runs/a', {
    'config.yaml': stringify({ stage: 'ctr' }),
    'metrics.json': '{}',
    'report.html': '',
  })
  await refused(['compare', join(folder, 'runs'), '--out', run], 'out-input', /: the run .*runs\/a; /, run)
})

test('when --out is empty then every command that writes there says so', async () => {
  for (const command of [['ctr'], ['pretrain'], ['sample'], ['ctr', 'grid']])
    await refused([...command, '--out', ''], 'place-name', /: --out: the path is empty; give a path$/m, folder)
})
