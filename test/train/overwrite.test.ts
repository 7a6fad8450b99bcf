import assert from 'node:assert/strict'
import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { Interrupted, UserError } from '../../src/base/errors.js'
import { lockFile } from '../../src/base/processes/lock.js'
import { thisProcess } from '../../src/base/processes/owner.js'
import { recoverRun } from '../../src/base/replaced.js'
import { findRuns } from '../../src/studies/compare.js'
import { Run } from '../../src/train/run.js'
import { assertRefused } from '../errors/refused.js'
import { runHere } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const base = await temporaryFolder()
let count = 0

/** A finished run with a folder, a link and a list in it. */
async function finished(config: object = { of: 'the first' }): Promise<string> {
  const out = join(base, String(++count))
  await Run.with({ out, stage: 'ctr', config: { ...config } }, async (run) => {
    mkdirSync(run.path('tables', '1'), { recursive: true })
    writeFileSync(run.path('tables', '1', 'rows'), 'of the first')
    symlinkSync(join('tables', '1'), run.path('table'))
    writeFileSync(run.path('rejected.parquet'), 'of the first')
    return run.finish({ auc: 0.7 })
  })
  return out
}

/** All files and links below a folder with their contents, without the log. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return Object.fromEntries(
    entries.map((entry): [string, string] => {
      const path = join(entry.parentPath, entry.name)
      return [path.slice(folder.length + 1), entry.isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'utf8')]
    }),
  )
}

const overwriting = (out: string, work: (run: Run) => Promise<unknown>) =>
  Run.with({ out, stage: 'ctr', config: { of: 'the second' }, overwrite: true }, work)

const mistake = new UserError({ id: 'table-missing', what: 'nowhere' })

const failures = {
  'a mistake of the user': mistake,
  'an interruption': new Interrupted('nothing is saved'),
  'a fault of ours': new TypeError('x is undefined'),
}
for (const [name, error] of Object.entries(failures)) {
  test(`when the run that overwrites another ends by ${name} then the other is as before`, async () => {
    const out = await finished()
    const before = contents(out)
    const failing = overwriting(out, async (run) => {
      writeFileSync(run.path('history.parquet'), 'of the second')
      assert.equal(existsSync(run.path('table')), false, 'the new run starts with nothing')
      throw error
    })
    await assert.rejects(failing, error)
    assert.deepEqual(contents(out), before)
  })
}

test('when the inputs of the run that overwrites another are missing then the other is as before', async () => {
  const out = await finished()
  const before = contents(out)
  const { code, stderr } = await runHere([
    'ctr',
    '--model',
    'din',
    '--overwrite',
    '--data',
    join(base, 'nowhere'),
    '--out',
    out,
  ])
  assert.equal(code, 2)
  assert.match(stderr, /the earlier run is there again\nerror \[table-missing\]: [^\n]+\n$/)
  assert.deepEqual(contents(out), before)
})

test('when the new run found fault with the data then its list has a name of its own', async () => {
  const out = await finished()
  const before = contents(out)
  const failing = overwriting(out, async (run) => {
    writeFileSync(run.path('rejected.parquet'), 'of the second')
    throw mistake
  })
  await assert.rejects(failing, mistake)
  assert.deepEqual(contents(out), { ...before, 'rejected_new.parquet': 'of the second' })
})

test('when the new run has a state then the earlier one is gone', async () => {
  const out = await finished()
  const failing = overwriting(out, async (run) => {
    mkdirSync(run.path('last'))
    run.saved()
    assert.deepEqual(readdirSync(out).sort(), ['config.yaml', 'last', 'log.jsonl', lockFile])
    throw mistake
  })
  await assert.rejects(failing, mistake)
  assert.ok(existsSync(join(out, 'last')))
})

test('when another process computes a shard then its folder is not overwritten', async () => {
  const out = await finished()
  mkdirSync(join(out, 'shards', '0-of-2'), { recursive: true })
  const owner = { ...thisProcess(), host: 'elsewhere' }
  const lock = { owner, id: '00000000-0000-4000-8000-000000000000', command: 'mim embed', since: '' }
  writeFileSync(join(out, 'shards', '0-of-2', lockFile), JSON.stringify(lock))
  const before = contents(out)
  await assertRefused(() => overwriting(out, async () => {}), 'folder-locked', /0-of-2: mim embed is working here/)
  assert.deepEqual(contents(out), before)
})

test('when a configuration of an extraction that fails is another then that of the results stays', async () => {
  const out = await finished()
  const before = contents(out)
  const options = { out, stage: 'embed', config: { of: 'the second' }, repeatable: true }
  await assert.rejects(
    Run.with(options, async () => Promise.reject(mistake)),
    mistake,
  )
  assert.equal(contents(out)['config.yaml'], before['config.yaml'])
  await Run.with(options, (run) => run.finish({}))
  assert.match(contents(out)['config.yaml'], /of: the second/)
})

/** Copies of `out` before the calls that rename or remove something while `work` runs. */
async function crashes(out: string, work: () => Promise<unknown>): Promise<string[]> {
  const original = { renameSync: fs.renameSync, rmSync: fs.rmSync, rmdirSync: fs.rmdirSync, mkdirSync: fs.mkdirSync }
  const copies: string[] = []
  let copying = false
  let names = ''
  for (const [name, call] of Object.entries(original) as [keyof typeof original, (...args: unknown[]) => unknown][]) {
    const wrapped = (...args: unknown[]) => {
      if (!copying && existsSync(out)) {
        copying = true
        const before = names
        names = readdirSync(out, { recursive: true }).join()
        if (names !== before) {
          copies.push(join(base, `crash-${++count}`))
          cpSync(out, copies.at(-1)!, { recursive: true, verbatimSymlinks: true })
        }
        copying = false
      }
      return call(...args)
    }
    Object.assign(fs, { [name]: wrapped })
  }
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(fs, original)
    syncBuiltinESMExports()
  }
  return copies
}

/** Makes the process of a copied folder one that has ended. */
function kill(folder: string): void {
  const file = join(folder, lockFile)
  if (!existsSync(file)) return
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...lock, owner: { ...lock.owner, started: '1' } }))
}

const ofTheFirst = (folder: string) => {
  const { 'log.jsonl': _log, ...rest } = contents(folder)
  return rest
}

const crashing = {
  'that fails': async (out: string) => {
    const failing = overwriting(out, async (run) => {
      writeFileSync(run.path('history.parquet'), 'of the second')
      throw mistake
    })
    await assert.rejects(failing, mistake)
  },
  'that finishes': (out: string) =>
    overwriting(out, async (run) => {
      mkdirSync(run.path('checkpoint'))
      return run.finish({ auc: 0.8 })
    }),
}
for (const [name, work] of Object.entries(crashing)) {
  test(`when a run ${name} is killed at any moment while it overwrites another then one of both is whole`, async () => {
    const out = await finished()
    const first = ofTheFirst(out)
    const copies = await crashes(out, () => work(out))
    assert.ok(copies.length > 15, `${copies.length} moments`)
    let back = 0
    for (const copy of copies) {
      kill(copy)
      recoverRun(copy)
      // The next start of a command locks the folder, and leaves nothing of the lock.
      const options = { out: copy, stage: 'ctr', config: { of: 'the first' }, repeatable: true }
      await Run.with(options, async () => {})
      assert.deepEqual(
        readdirSync(copy).filter((entry) => entry.startsWith('mim.')),
        [],
        copy,
      )
      const found = ofTheFirst(copy)
      if (existsSync(join(copy, 'checkpoint'))) continue
      back++
      assert.deepEqual(found, first, copy)
    }
    assert.ok(back > 8, `${back} times the first`)
    assert.equal(back < copies.length, name === 'that finishes')
  })
}

test('when a run was killed while it overwrote another then whoever reads the other finds it, and so does a second one', async () => {
  const out = await finished()
  const first = ofTheFirst(out)
  const [copy] = await crashes(out, () =>
    overwriting(out, async (run) => {
      rmSync(run.path('nothing'), { force: true })
      throw mistake
    }).catch(() => {}),
  ).then((copies) => copies.filter((one) => existsSync(join(one, 'mim.replaced'))).slice(-1))
  kill(copy)
  const again = `${copy}-again`
  cpSync(copy, again, { recursive: true, verbatimSymlinks: true })
  assert.deepEqual(
    findRuns(copy).map(({ metrics }) => metrics['auc']),
    [0.7],
  )
  assert.deepEqual(ofTheFirst(copy), first)
  await assert.rejects(
    overwriting(again, async () => Promise.reject(mistake)),
    mistake,
  )
  assert.deepEqual(ofTheFirst(again), first)
})

test('when a run is being replaced then it is not read, and another run is', async () => {
  const out = await finished()
  await overwriting(out, async (run) => {
    await assertRefused(() => recoverRun(out), 'folder-locked', /is working here/)
    assert.deepEqual(findRuns(out), [])
    return run.finish({})
  })
  assert.equal(findRuns(out).length, 1)
})

test('when the folder of a replaced run cannot be locked then the message says where the run is', async () => {
  const out = join(base, String(++count))
  mkdirSync(join(out, 'mim.replaced'), { recursive: true })
  // No permission would do the same, but not for root.
  mkdirSync(join(out, lockFile))
  await assertRefused(() => recoverRun(out), 'run-replaced', /give .*mim.replaced, or make the folder writable/)
})
