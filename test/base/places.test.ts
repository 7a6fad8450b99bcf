import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorOf, failureOf, UserError } from '../../src/base/errors.js'
import { replaceFile, writeJson } from '../../src/base/files.js'
import { atPlace, checkFile, checkFolder, expectedError, placeError } from '../../src/base/places.js'
import { Database, literal } from '../../src/data/tables/duckdb.js'
import { assertRefused } from '../errors/refused.js'
import { root } from '../fixtures.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const at = (...names: string[]) => join(folder, ...names)
writeFileSync(at('file'), 'text')
symlinkSync('loop', at('loop'))
const long = at('a'.repeat(300))

/** What a user gets to read of an error in `work`. */
async function shown(work: () => unknown): Promise<UserError> {
  try {
    await work()
  } catch (thrown) {
    const error = expectedError(thrown)
    assert.ok(error instanceof UserError, String(thrown))
    assert.equal(error.exitCode, 2)
    assert.doesNotMatch(error.message, /\n|E[A-Z]{4,}/)
    return error
  }
  return assert.fail('it worked')
}

test('when the system refuses a file or folder then one line has what failed, the place, the reason and a remedy', async () => {
  const cases: [() => unknown, string, string][] = [
    [() => readFileSync(at('none')), 'place-missing', `${at('none')}: cannot be opened: no such file or folder; `],
    [
      () => mkdirSync(at('file', 'x')),
      'place-not-folder',
      `${at('file', 'x')}: the folder cannot be created: a file is `,
    ],
    [() => mkdirSync(at('file'), { recursive: true }), 'place-not-folder', `${at('file')}: the folder cannot be `],
    [() => readdirSync(at('file')), 'place-not-folder', `${at('file')}: the folder cannot be read: `],
    [() => writeFileSync(folder, ''), 'place-not-file', `${folder}: cannot be opened: this is a folder; `],
    [() => readFileSync(at('loop')), 'place-name', `${at('loop')}: cannot be opened: links that lead in a circle; `],
    [() => writeFileSync(long, ''), 'place-name', `${long}: cannot be opened: the name is too long; `],
    [() => readFileSync('a\0b'), 'place-name', "'a\\x00b': cannot be opened: the path contains a zero byte; "],
  ]
  for (const [work, id, start] of cases) {
    const error = await shown(work)
    assert.equal(error.id, id)
    assert.ok(error.message.startsWith(start), error.message)
  }
})

test('when a code of the system is one that a test cannot bring about then it has its own words', () => {
  const failed = (code: string, syscall = 'open') =>
    placeError(Object.assign(new Error(`${code}: …`), { code, syscall, path: '/data/x' }))
  const expected = {
    EACCES: ['place-denied', /^\/data\/x: cannot be opened: permission denied; change its permissions/],
    EPERM: ['place-denied', /permission denied/],
    EROFS: ['place-denied', /read-only; choose another place/],
    EBUSY: ['place-denied', /mount point/],
    EDQUOT: ['place-full', /quota/],
    EMFILE: ['files-open', /too many open files; raise the limit, e\.g\. ulimit -n/],
    EIO: ['place-failing', /the disk reports an error; check the disk/],
  } as const
  for (const [code, [id, words]] of Object.entries(expected)) {
    const error = failed(code)
    assert.equal(error?.id, id)
    assert.match(error.message, words)
  }
  assert.equal(failed('EINVAL'), undefined)
  assert.equal(failed('EACCES', 'connect'), undefined)
})

test('when a file of this package is missing then that is a mistake of ours', () => {
  for (const path of ['dist/none.js', 'package.json/x', 'node_modules/none/index.js']) {
    const error = Object.assign(new Error('ENOENT'), { code: 'ENOENT', syscall: 'open', path: join(root, path) })
    assert.equal(placeError(error), undefined)
  }
  const ofUser = Object.assign(new Error(), { code: 'ENOENT', syscall: 'open', path: join(root, 'runs/x') })
  assert.equal(placeError(ofUser)?.id, 'place-missing')
  assert.equal(expectedError(new TypeError('x is not a function')), undefined)
})

test('when another thread meets the error then its message alone says as much', async () => {
  const thrown = await atPlace({}, () => readFileSync(at('none', "it's"))).catch((error) => error)
  for (const error of [(thrown as Error).cause, thrown]) {
    const sent = errorOf(structuredClone(failureOf(error)))
    assert.deepEqual([expectedError(sent)?.message, (expectedError(sent) as UserError).id], [thrown.message, thrown.id])
  }
})

const full = { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }

test('when the disk is full then the file is named, although the system does not say it', full, async () => {
  const error = await shown(() => replaceFile(at('results.json'), () => writeFileSync('/dev/full', 'text')))
  assert.equal(error.id, 'place-full')
  assert.ok(
    error.message.startsWith(`${at('results.json')}: cannot be written: no space left on the disk; `),
    error.message,
  )
  assert.equal(existsSync(at('results.json.part')), false)
})

test('when a folder of results is below a file then the file is named', async () => {
  const error = await shown(() => writeJson(at('file', 'run', 'metrics.json'), {}))
  assert.equal(error.id, 'place-not-folder')
  assert.match(error.message, /file.*: the folder cannot be created/)
})

test('when DuckDB cannot write then the place is named, also if it reads a table meanwhile', full, async () => {
  const db = await openDatabase()
  await db.writeParquet('SELECT range AS i FROM range(10)', at('some.parquet'))
  const some = `FROM read_parquet(${literal(at('some.parquet'))})`
  const cases: [string, string, RegExp][] = [
    ['/dev/full', 'place-full', /^\/dev\/full: cannot be written: no space left on the disk/],
    [at('none', 'x.parquet'), 'place-missing', /none\/x\.parquet: cannot be opened: no such file/],
    [at('file', 'x.parquet'), 'place-not-folder', /file\/x\.parquet: cannot be opened: a file is/],
    [`${long}.parquet`, 'place-name', /the name is too long/],
  ]
  for (const [path, id, message] of cases) {
    for (const query of ['SELECT 1', `SELECT i, i AS j ${some}`]) {
      await assertRefused(() => db.writeParquet(query, path), id, message)
    }
  }
  await assertRefused(() => db.run(`SELECT * FROM read_parquet('${at('gone.parquet')}')`), 'table-missing', /gone/)
})

test('when the temporary folder of a query cannot be made then it is named; none is made in the working folder', async () => {
  const spill =
    "CREATE TEMP TABLE t AS SELECT range::VARCHAR || repeat('x', 50) AS a, hash(range) AS r FROM range(400000)"
  const memory = '20MB'
  {
    using db = await Database.open({ memory, temporary: at('file', 'spill') })
    await assertRefused(() => db.run(spill), 'place-not-folder', /file\/spill: the folder cannot be created: a file/)
  }
  const before = readdirSync('.')
  {
    using db = await Database.open({ memory })
    await db.run(spill)
    assert.deepEqual(readdirSync('.'), before)
  }
})

test('when a place is checked beforehand then the option is named and nothing is left', async () => {
  const before = readdirSync(folder).sort()
  checkFolder(at('new', 'run'), '--out')
  checkFile(at('new', 'x.parquet'), '--out')
  checkFile(at('file'), '--out')
  assert.deepEqual(readdirSync(folder).sort(), before)
  const cases: [() => void, string, RegExp][] = [
    [
      () => checkFolder(at('file'), '--out'),
      'place-not-folder',
      /^--out .*\/file: the folder cannot be created: a file/,
    ],
    [
      () => checkFolder(at('file', 'run'), 'data.cache'),
      'place-not-folder',
      /^data\.cache .*\/file\/run: .*\/file: a file/,
    ],
    [() => checkFile(folder, '--html'), 'place-not-file', /^--html .*: this is a folder/],
    [() => checkFile(at('file', 'x'), '--html'), 'place-not-folder', /^--html /],
    [() => checkFolder(long, '--out'), 'place-name', /^--out .*the name is too long/],
  ]
  for (const [work, id, message] of cases) await assertRefused(work, id, message)
})

test(
  'when folders cannot be made at a place although permissions allow it then it is refused at once',
  {
    skip: existsSync('/proc/self') ? false : 'there is no /proc',
  },
  () =>
    assertRefused(() => checkFolder('/proc/run', '--out'), 'place-denied', /^--out \/proc\/run: .*\/proc: permission/),
)
