import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mim } from '../commands/cli.js'
import { root } from '../fixtures.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

/** Writes the names of all modules that a process loads, by either module system, to the file `list`. */
function recording(list: string): NodeJS.ProcessEnv {
  const hooks = `import { appendFileSync } from 'node:fs'
export async function resolve(name, context, next) {
  const found = await next(name, context)
  appendFileSync(${JSON.stringify(list)}, found.url + '\\n')
  return found
}`
  const recorder = `import { appendFileSync } from 'node:fs'
import { createRequire, register } from 'node:module'
register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)})
process.on('exit', () => {
  appendFileSync(${JSON.stringify(list)}, Object.keys(createRequire('file:///').cache).join('\\n') + '\\n')
})`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(recorder)}` }
}

const heavy = /@tensorflow|onnxruntime|duckdb|sharp|parquetjs|huggingface|protobufjs/

test('when mim only prints help or its version then no heavy module is loaded', async () => {
  for (const [i, args] of [['--help'], ['--version'], ['pretrain', '--help'], ['no-such-command']].entries()) {
    const list = join(folder, `${i}.txt`)
    const { stdout, stderr } = await mim(args, recording(list))
    assert.ok(stdout.length + stderr.length > 0)
    const modules = readFileSync(list, 'utf8').split('\n')
    assert.ok(modules.some((name) => name.endsWith('src/cli.js')) && modules.some((name) => name.includes('commander')))
    assert.deepEqual(
      modules.filter((name) => heavy.test(name)),
      [],
      args.join(' '),
    )
  }
})

test('when a stage starts then its heavy modules are seen, so that the test above can fail', async () => {
  const list = join(folder, 'stage.txt')
  await mim(['embed', '--out', join(folder, 'run')], recording(list))
  assert.match(readFileSync(list, 'utf8'), heavy)
})

test('when mim is started by its own name then it runs', () => {
  const { status, stdout } = spawnSync(join(root, 'bin/mim'), ['--version'], { encoding: 'utf8' })
  assert.equal(status, 0)
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
})

test('when a reader closes the pipe early then mim ends without an error', () => {
  const pipe = `set -o pipefail; "${join(root, 'bin/mim')}" config ctr | head -n 1`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', pipe], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, 'data:\n', ''])
})

test('when mim prints its version then it is the one of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.equal((await mim(['--version'])).stdout, `${version}\n`)
})
