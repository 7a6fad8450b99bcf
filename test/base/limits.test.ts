import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { UserError } from '../../src/base/errors.js'
import { expectedError } from '../../src/base/places.js'
import { writeWhole } from '../../src/base/wholeWrite.js'
import { root } from '../fixtures.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const idOf = (error: unknown) => {
  const expected = expectedError(error)
  return expected instanceof UserError ? expected.id : undefined
}

test('when a thread or a library gets no memory then one line says so', async () => {
  const code = 'const all = []; for (;;) all.push(new Array(1e5).fill({}))'
  const worker = new Worker(code, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 8 } })
  const error = await new Promise((resolve) => worker.on('error', resolve))
  assert.equal(idOf(error), 'memory')
  assert.match(expectedError(error)!.message, /^memory ran out \(Worker terminated.*\); .* are free; use less data/)
  for (const text of [
    'std::bad_alloc',
    'Array buffer allocation failed',
    'WebAssembly.Memory(): could not allocate memory',
    'OOM when allocating tensor with shape[100000,100000]',
    'Failed to allocate memory for requested buffer of size 40000000000',
  ]) {
    assert.equal(idOf(new Error(text)), 'memory', text)
  }
  assert.equal(idOf(new TypeError('memory is not defined')), undefined)
})

test('when the system gives no thread then one line says so', () => {
  const failed = Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' })
  assert.equal(idOf(failed), 'threads-limit')
  assert.match(expectedError(failed)!.message, /^no more threads: .*; raise the limit, e\.g\. ulimit -u/)
})

const linux = { skip: process.platform === 'linux' ? false : 'this is for Linux' }

test(
  'when packages cannot be opened for want of open files then that is said, not that they are missing',
  linux,
  () => {
    const shell = 'ulimit -n 40; exec "$0" "$@"'
    const args = ['embed', '--data', folder, '--checkpoint', folder, '--out', join(folder, 'out')]
    const { status, stderr } = spawnSync('bash', ['-c', shell, process.execPath, join(root, 'bin/mim'), ...args], {
      encoding: 'utf8',
    })
    assert.equal(status, 2, stderr)
    assert.match(stderr, /^error \[files-open\]: [^\n]*too many open files; raise the limit, e\.g\. ulimit -n 65536\n$/)
    const error = Object.assign(new Error("Cannot find package '/none/x.js' imported from /y"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    assert.equal(idOf(error), undefined)
  },
)

test('when the working folder was removed then one line says so', linux, () => {
  const shell = 'mkdir here; cd here; rmdir ../here; exec "$0" "$@"'
  const args = ['-c', shell, process.execPath, join(root, 'bin/mim'), 'ctr', '--data', 'x', '--out', 'out']
  const { status, stderr } = spawnSync('bash', args, { encoding: 'utf8', cwd: folder })
  assert.equal(status, 2, stderr)
  assert.match(stderr, /^error \[place-missing\]: [^\n]*the working folder is gone: it was removed; change to a folder/)
})

test('when the disk is full while a file is written then the file is named', {
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
}, () => {
  const full = openSync('/dev/full', 'w')
  assert.throws(() => writeWhole(full, Buffer.alloc(10), '/shop/ids'), { id: 'place-full', message: /^\/shop\/ids: / })
  closeSync(full)
  const path = join(folder, 'whole')
  const file = openSync(path, 'w')
  writeWhole(file, Buffer.from('shoes'), path)
  writeWhole(file, Buffer.from('mug'), path, 1)
  closeSync(file)
  assert.equal(readFileSync(path, 'utf8'), 'smugs')
})
