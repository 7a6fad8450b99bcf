import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import type { UserError } from '../../src/base/errors.js'
import { openEngine } from '../../src/engine/index.js'
import { withThreads } from '../../src/engine/wasmThreads.js'

/** A process that opens the engine, then does `work`. */
function runBeside(work: string) {
  const engine = new URL('../../src/engine/index.js', import.meta.url).href
  const script = `import('${engine}').then(async ({ openEngine }) => {
    await openEngine({ engine: 'wasm', device: 'cpu' }, () => {})
    ${work}
  })`
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 })
}

test('when the machine has several cores then the WASM engine says that it uses them', async () => {
  const cores = Math.min(availableParallelism(), 8)
  const { description } = await openEngine({ engine: 'wasm', device: 'cpu' }, () => {})
  assert.match(description, new RegExp(cores === 1 ? 'one thread' : `${cores} threads`))
})

test('when an error escapes beside the WASM engine then the process ends and shows the error alone', () => {
  const { status, stderr } = runBeside(`setTimeout(() => { throw new Error('escaped') })`)
  assert.equal(status, 1)
  assert.match(stderr, /Error: escaped/)
  assert.ok(stderr.length < 2000, `${stderr.length} characters`)
})

test('when a process has done its work on the WASM engine then its threads let it end', () => {
  const { status, signal } = runBeside('')
  assert.deepEqual({ status, signal }, { status: 0, signal: null })
})

test('when the script of threads is of another version then the engine says so instead of starting too many', () => {
  const script = 'count(require("os").cpus().length);pthreadPoolSize=8;'
  assert.equal(withThreads(script, 3), 'count(6);pthreadPoolSize=2;')
  for (const passage of ['require("os").cpus().length', 'pthreadPoolSize=8']) {
    assert.throws(
      () => withThreads(script.replace(passage, ''), 3),
      (error: UserError) => error.id === 'wasm-build' && error.message.includes(passage),
    )
  }
})
