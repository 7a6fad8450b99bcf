import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { thisProcess, tokenOf } from '../../../src/base/processes/owner.js'
import { temporaryFolder as ours } from '../../../src/base/processes/temporary.js'
import { root } from '../../fixtures.js'
import { temporaryFolder } from '../../sample/folders.js'

const base = await temporaryFolder()

/** Starts a process with a lock, a temporary folder and a file that it is writing, all below `folder`. */
async function working(folder: string): Promise<ChildProcess> {
  mkdirSync(folder)
  const from = (name: string) => JSON.stringify(join(root, 'dist/src/base', name))
  const source = `
    const { endOnInterrupt } = await import(${from('processes/signals.js')})
    const { Lock } = await import(${from('processes/lock.js')})
    const { temporaryFolder } = await import(${from('processes/temporary.js')})
    const { replaceFile } = await import(${from('files.js')})
    const { writeFileSync } = await import('node:fs')
    endOnInterrupt()
    Lock.folder(process.env.TMPDIR)
    writeFileSync(temporaryFolder('evaluate').path + '/rows', '')
    await replaceFile(process.env.TMPDIR + '/results.json', async (path) => {
      writeFileSync(path, '{')
      console.log('working')
      await new Promise((resolve) => setTimeout(resolve, 60_000))
    })`
  const env = { ...process.env, TMPDIR: folder }
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await new Promise((resolve) => child.stdout!.once('data', resolve))
  return child
}

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('close', resolve))

test('when a signal ends a command then nothing is left, and the exit code says which signal it was', async () => {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  const all = Object.entries(codes).map(async ([signal, code]) => {
    const folder = join(base, signal)
    const child = await working(folder)
    assert.equal(readdirSync(folder).length, 3)
    let said = ''
    child.stderr!.on('data', (text) => {
      said += text
    })
    child.kill(signal as NodeJS.Signals)
    assert.equal(await ended(child), code)
    assert.equal(said, 'interrupted; run the same command again\n')
    assert.deepEqual(readdirSync(folder), [])
  })
  await Promise.all(all)
})

test('when a process was killed then the next one removes its temporary folders, and no others', async () => {
  const folder = join(base, 'killed')
  const child = await working(folder)
  const running = readdirSync(folder).filter((name) => name.startsWith('mim-evaluate-'))
  assert.equal(running.length, 1)
  const name = (owner: object) => `mim-dry-run-${tokenOf({ ...thisProcess(), ...owner })}-abc`
  const others = [name({ host: 'elsewhere', boot: 'x' }), name({ namespace: 'x' }), 'mim-notes', 'mim-dry-run-a-b']
  const old = [name({ started: '1' }), name({ boot: 'x' })]
  for (const one of [...others, ...old]) mkdirSync(join(folder, one))
  writeFileSync(join(folder, old[0], 'rows'), '')
  const before = process.env['TMPDIR']
  try {
    process.env['TMPDIR'] = folder
    assert.equal(tmpdir(), folder)
    {
      using mine = ours('query')
      const left = readdirSync(folder).filter((entry) => entry.startsWith('mim-'))
      assert.deepEqual(left.sort(), [...others, ...running, mine.path.slice(folder.length + 1)].sort())
    }
    child.kill('SIGKILL')
    await ended(child)
    // Once a process: this stands for the next one.
    const again = join(base, 'link')
    symlinkSync(folder, again)
    process.env['TMPDIR'] = again
    ours('query')[Symbol.dispose]()
    assert.deepEqual(
      readdirSync(folder)
        .filter((entry) => entry.startsWith('mim-'))
        .sort(),
      others.sort(),
    )
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})
