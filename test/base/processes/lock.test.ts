import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Lock, lockFile, requireUnlocked } from '../../../src/base/processes/lock.js'
import { type Owner, stateOf, thisProcess } from '../../../src/base/processes/owner.js'
import { assertRefused } from '../../errors/refused.js'
import { root } from '../../fixtures.js'
import { temporaryFolder } from '../../sample/folders.js'

const base = await temporaryFolder()
let count = 0

/** A new folder with a lock of `owner`, or with a lock file of this text. */
function lockedBy(owner: Owner | string): string {
  const folder = join(base, String(++count))
  mkdirSync(folder)
  const id = `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`
  const held = { owner, id, command: 'mim ctr', since: '2026-01-02T03:04:05.000Z' }
  writeFileSync(join(folder, lockFile), typeof owner === 'string' ? owner : JSON.stringify(held))
  return folder
}

/** Another Node that locks `folder` and prints the outcome; it ends when its input does. */
function locking(folder: string) {
  const modules = ['lock', 'owner'].map((name) => join(root, `dist/src/base/processes/${name}.js`))
  const source = `
    const { Lock } = await import(${JSON.stringify(modules[0])})
    process.stdin.resume()
    await new Promise((resolve) => process.stdin.once('data', resolve))
    try { Lock.folder(${JSON.stringify(folder)}); console.log('locked') } catch (error) { console.log(error.id ?? error) }
    await new Promise((resolve) => process.stdin.once('end', resolve))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said = new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(String(text).trim())))
  const ended = new Promise((resolve) => child.once('close', resolve))
  return { child, said, ended, start: () => child.stdin.write('\n') }
}

const other: Owner = { ...thisProcess(), pid: process.ppid, started: startOf(process.ppid) }

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

test('when a process that runs has locked a folder then the message says which command, process, host and time', () =>
  assertRefused(
    () => Lock.folder(lockedBy(other)),
    'folder-locked',
    new RegExp(
      `/1: mim ctr is working here, process ${other.pid} on .+ since 2026-01-02T03:04:05.000Z; wait until it ends`,
    ),
  ))

test('when this process has locked a folder then it does not lock it twice, and may after the release', async () => {
  const folder = join(base, 'twice')
  {
    using _lock = Lock.folder(folder)
    await assertRefused(() => Lock.folder(folder), 'folder-locked', new RegExp(`process ${process.pid} `))
    await assertRefused(() => requireUnlocked(folder), 'folder-locked', /twice/)
    using _inner = Lock.folder(join(folder, 'inner'))
  }
  assert.deepEqual(readdirSync(folder), ['inner'])
  Lock.folder(folder).release()
  requireUnlocked(folder)
})

const ended: Record<string, Owner> = {
  'an id that no process has': { ...other, pid: 2 ** 22 + 1 },
  'an id that another process has now': { ...other, started: '1' },
  'the id of this process': { ...thisProcess(), started: '1' },
  'the id of a process, before the machine started again': { ...other, boot: 'earlier' },
  'the id of a process in a container, before the machine started again': { ...other, boot: 'earlier', namespace: 'x' },
}
for (const [name, owner] of Object.entries(ended)) {
  test(`when the owner of a lock has ${name} then the lock is taken over`, () => {
    const folder = lockedBy(owner)
    using _lock = Lock.folder(folder)
    assert.deepEqual(readdirSync(folder), [lockFile])
    assert.equal(JSON.parse(readFileSync(join(folder, lockFile), 'utf8')).owner.pid, process.pid)
  })
}

const unseen: Record<string, Owner> = {
  'another machine': { ...other, host: 'elsewhere', boot: 'x', pid: 2 ** 22 + 1 },
  'another machine of this name': { ...other, machine: 'x', boot: 'x', pid: 2 ** 22 + 1 },
  'another container': { ...other, namespace: 'pid:[1]', pid: 2 ** 22 + 1 },
}
for (const [name, owner] of Object.entries(unseen)) {
  test(`when the owner of a lock is a process of ${name} then it is kept, and the message names the file`, async () => {
    const folder = lockedBy(owner)
    await assertRefused(() => Lock.folder(folder), 'folder-locked', new RegExp(`if not, remove ${folder}/${lockFile}$`))
    assert.ok(existsSync(join(folder, lockFile)))
  })
}

for (const [name, text] of Object.entries({ empty: '', torn: '{"owner": {"ho', 'of something else': 'null' })) {
  test(`when a lock file is ${name} then it blocks for a moment only`, () => {
    const folder = lockedBy(text || '')
    using _lock = Lock.folder(folder)
    assert.deepEqual(readdirSync(folder), [lockFile])
  })
}

test('when processes were killed while they created, claimed and removed a lock then the next one cleans up', () => {
  const folder = lockedBy({ ...other, started: '1' })
  const id = JSON.parse(readFileSync(join(folder, lockFile), 'utf8')).id
  const claim = { owner: { ...other, started: '2' }, id: id.replace(/^0/, '1'), command: '', since: '' }
  writeFileSync(join(folder, `${lockFile}.${id}.lock`), JSON.stringify(claim))
  writeFileSync(join(folder, `${lockFile}.${id}.lock.${claim.id}.lock`), '')
  writeFileSync(join(folder, `${lockFile}.${id.replace(/^0/, 'a')}.lock`), '{}')
  writeFileSync(join(folder, `${lockFile}.part-123`), '')
  writeFileSync(join(folder, 'mim.lock.of-the-user'), '')
  using _lock = Lock.folder(folder)
  assert.deepEqual(readdirSync(folder), [lockFile, 'mim.lock.of-the-user'])
})

test('when several processes find the lock of one that was killed then one of them gets it', async () => {
  const folder = join(base, 'killed')
  const [first, ...next] = Array.from({ length: 4 }, () => locking(folder))
  first.start()
  assert.equal(await first.said, 'locked')
  const owner = JSON.parse(readFileSync(join(folder, lockFile), 'utf8')).owner as Owner
  assert.equal(stateOf(owner), 'running')
  first.child.kill('SIGKILL')
  await first.ended
  assert.equal(stateOf(owner), 'ended')
  for (const one of next) one.start()
  const said = await Promise.all(next.map((one) => one.said))
  assert.deepEqual(said.sort(), ['folder-locked', 'folder-locked', 'locked'])
  assert.deepEqual(readdirSync(folder), [lockFile])
  for (const one of next) one.child.stdin.end()
  await Promise.all(next.map((one) => one.ended))
  assert.deepEqual(readdirSync(folder), [], 'the end of a process releases its locks')
})
