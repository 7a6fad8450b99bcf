import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { writeJson } from '../../src/base/files.js'
import { tablePath } from '../../src/commands/tablePath.js'
import { assertRefused } from '../errors/refused.js'
import { root } from '../fixtures.js'
import { refusal, runHere } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'
import { mim } from './cli.js'

const folder = await temporaryFolder()
const at = (...names: string[]) => join(folder, ...names)
writeFileSync(at('file'), 'text')

/** A run folder, as far as its stage shows. */
function runOf(stage: string): string {
  const run = at(`a run of ${stage}`)
  mkdirSync(join(run, 'checkpoint'), { recursive: true })
  writeFileSync(join(run, 'config.yaml'), stringify({ stage, seed: 1 }))
  writeFileSync(join(run, 'metrics.json'), '{}')
  return run
}

test('when --out is below a file then every command says so in one line and leaves nothing', async () => {
  const below = at('file', 'run')
  for (const command of [
    ['pretrain'],
    ['sft'],
    ['embed', '--checkpoint', folder],
    ['embed', 'merge'],
    ['ctr'],
    ['ctr', 'grid'],
    ['ctr', 'tune'],
    ['ctr', 'predict', runOf('ctr')],
    ['compare', folder],
    ['sample'],
    ['sft', '--ablate', 'negatives'],
  ]) {
    const line = await refusal(command, below, 'place-not-folder')
    assert.match(line, /: --out .*file\/run: .*: a file is where a folder is expected; choose another place$/)
  }
})

test('when a file would take the place of a pipe or device then it stays and the command refuses', async () => {
  const pipe = at('pipe')
  execFileSync('mkfifo', [pipe])
  const { code, stderr } = await runHere(['ctr', 'predict', runOf('ctr'), '--out', pipe])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^error \[place-not-file\]: .*pipe: .*: a device, pipe or socket is there; choose another place\n$/,
  )
  await assertRefused(() => writeJson(pipe, {}), 'place-not-file', /pipe or socket/)
  assert.ok(lstatSync(pipe).isFIFO())
})

test('when the path of an output is empty then it is refused', async () => {
  for (const command of [
    ['compare', folder],
    ['ctr', 'predict', folder],
  ]) {
    assert.match(await refusal(command, '', 'place-name'), /: --out: the path is empty; give a path$/)
  }
})

test('when the cache of pictures cannot be made then the option is named', async () => {
  const line = await refusal(['pretrain', '--set', `data.cache=${at('file')}`], at('run'), 'place-not-folder')
  assert.match(line, /data\.cache .*file: the folder cannot be created/)
})

test('when there is no temporary folder then TMPDIR is named', async () => {
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = at('gone')
  try {
    const line = await refusal(['pretrain', '--engine', 'tensorflow'], at('run'), 'place-missing')
    assert.match(line, /TMPDIR .*gone: a temporary folder cannot be created: no such .*; set TMPDIR to a folder/)
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})

test('when standard output is full or closed then there is one line, or none', {
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
}, () => {
  const shell = (command: string) =>
    spawnSync('bash', ['-c', command], { encoding: 'utf8', env: { ...process.env, MIM: join(root, 'bin/mim') } })
  const full = shell('"$MIM" config ctr > /dev/full')
  assert.equal(full.status, 2)
  assert.match(full.stderr, /^error \[place-full\]: a file cannot be written: no space left on the disk; [^\n]+\n$/)
  const closed = shell('set -o pipefail; "$MIM" config ctr | head -n 1')
  assert.deepEqual([closed.status, closed.stderr], [0, ''])
})

test('when a place is wrong and --json is given then the line is on standard error alone, with a stack on demand', async () => {
  const args = ['pretrain', '--json', '--out', at('file')]
  const { code, stdout, stderr } = await mim(args)
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^error \[place-not-folder\]: [^\n]+\n$/)
  const debug = await mim(args, { MIM_DEBUG: '1' })
  assert.match(debug.stderr, /\n +at checkFolder .*places\.js/)
})

test('when a command gets a run of another stage then one line names both stages', async () => {
  const [pretrain, embed, ctr] = ['pretrain', 'embed', 'ctr'].map(runOf)
  const cases: [string[], RegExp][] = [
    [['ctr', 'predict', pretrain], /a run of pretrain is of a run of mim pretrain, not of mim ctr; /],
    [['ctr', 'predict', join(pretrain, 'checkpoint')], /checkpoint is of a run of mim pretrain, not of mim ctr; /],
    [['ctr', 'predict', embed], /is of a run of mim embed, not of mim ctr; /],
    [['sft', '--init', ctr, '--engine', 'wasm'], /is of a run of mim ctr, not of mim pretrain or mim sft; /],
    [['embed', '--checkpoint', embed], /is of a run of mim embed, not of mim pretrain or mim sft; /],
  ]
  for (const [args, message] of cases) assert.match(await refusal(args, at('none'), 'run-stage'), message)
  for (const [args, message] of [
    [['ctr', 'compare', ctr, pretrain], /pretrain is of a run of mim pretrain, not of mim ctr/],
    [['ctr', 'evaluate', embed], /embed is of a run of mim embed, not of mim ctr/],
    [['embed', 'check', ctr], /ctr is of a run of mim ctr, not of mim embed/],
    [['neighbors', pretrain, '--item', '1'], /is of a run of mim pretrain, not of mim embed/],
    [['ctr', '--out', embed], /: --out: .* is of a run of mim embed, not of mim ctr/],
    [['embed', '--resume', '--out', ctr], /unknown option '--resume'/],
    [['embed', '--out', ctr], /: --out: .* is of a run of mim ctr, not of mim embed/],
  ] as const) {
    const { code, stderr } = await runHere(args)
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
})

test('when a subcommand has a slip then the nearest is suggested', async () => {
  const line = await refusal(['ctr', 'compar', 'a', 'b'], at('none'), 'command-unknown')
  assert.match(line, /mim ctr has no command 'compar'; did you mean 'mim ctr compare'\?$/)
  assert.match(await refusal(['embed', 'zzz'], at('none'), 'command-unknown'), /expected one of merge, check$/)
})

test('when a table is named on the command line then it starts from the working folder', async () => {
  const [here, data] = [at('here'), at('data')]
  for (const [path, name] of [
    [here, 'mine.parquet'],
    [here, 'both.parquet'],
    [data, 'both.parquet'],
    [data, 'theirs.parquet'],
  ]) {
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, name), '')
  }
  mkdirSync(join(here, 'parts'))
  const before = process.cwd()
  process.chdir(here)
  try {
    const cwd = process.cwd()
    const find = (path: string, roots = {}) => tablePath('--impressions', path, roots)
    assert.equal(find('mine.parquet'), join(cwd, 'mine.parquet'))
    assert.equal(find('both.parquet'), join(cwd, 'both.parquet'))
    assert.equal(find('both.parquet', { run: data }), join(cwd, 'both.parquet'))
    assert.equal(find('mine.parquet', { data }), join(cwd, 'mine.parquet'))
    assert.equal(find('theirs.parquet', { data }), join(data, 'theirs.parquet'))
    assert.equal(find('./both.parquet', { data }), join(cwd, 'both.parquet'))
    assert.equal(find('parts.parquet'), join(cwd, 'parts'))
    assert.equal(find('parts/*.parquet'), join(cwd, 'parts/*.parquet'))
    for (const path of ['/x/y.parquet', 's3://bucket/y.parquet']) assert.equal(find(path), path)
    await assertRefused(
      () => find('both.parquet', { data }),
      'path-ambiguous',
      /^--impressions: both\.parquet is in .*\.\/both/,
    )
    await assertRefused(
      () => find('gone.parquet'),
      'table-missing',
      /^--impressions: gone\.parquet is not in the working/,
    )
    await assertRefused(() => find('theirs.parquet', { run: data }), 'table-missing', /did you mean .*theirs\.parquet/)
    symlinkSync(data, 'link')
    assert.equal(find('both.parquet', { data: here }), join(cwd, 'both.parquet'))
  } finally {
    process.chdir(before)
  }
})
