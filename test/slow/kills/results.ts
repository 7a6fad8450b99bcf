/** What commands leave in a folder, compared with what the same commands left that nothing disturbed. */
import assert from 'node:assert/strict'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { SafetensorsFile } from '../../../src/formats/safetensors.js'
import { EmbeddingTable } from '../../../src/store/index.js'
import { query } from '../../e2e/stages.js'

const tolerance = 1e-6

/** Fields that are durations, moments (stamps of inputs, too), or measurements of the machine. */
const ofMachine = /seconds|per_second|elapsed|waited|wait_share|memory_mb|^stamp$/

/** Results whose content has moments or addresses; that they are there is enough. */
const opaque = ['.html', '.jsonl', '.usearch']

/**
 * Asserts that the folder `actual` has the files of `expected`, equal to 1e-6. Fields called as in `ofProcess` may differ.
 * The picture cache is left out, because processes share it.
 */
export async function assertSameFiles(actual: string, expected: string, ofProcess: readonly string[]): Promise<void> {
  const files = namesIn(expected)
  assert.deepEqual(namesIn(actual), files, 'files')
  for (const file of files) {
    const [a, b] = [join(actual, file), join(expected, file)]
    if (opaque.includes(extname(file)) || readFileSync(a).equals(readFileSync(b))) continue
    if (file.endsWith('.parquet')) assertClose(await rowsOf(a), await rowsOf(b), ofProcess, file)
    else if (file.endsWith('.json')) assertClose(json(a), json(b), ofProcess, file)
    else if (file.endsWith('.safetensors')) assertClose(tensorsOf(a), tensorsOf(b), ofProcess, file)
    else assert.fail(`${file} differs`)
  }
}

/** Names of what is being written, of work in progress, and of the cache, which processes share. */
const unfinished = /(\.part(-.*)?|\.old|\.temporary)$|^(cache|work|temporary|spill)$|^\.spill$/

/**
 * Asserts that each file below the folder that has its own name is whole: it can be read to its end. So readers see old
 * or new results, also right after a kill.
 */
export async function assertWhole(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (unfinished.test(name)) continue
    if (lstatSync(path).isDirectory()) await assertWhole(path)
    else if (name === 'embeddings') EmbeddingTable.open(path).close()
    else if (name.endsWith('.parquet'))
      await query('SELECT max(hash(t)) FROM (SELECT * FROM {table}) t', { table: path })
    else if (name.endsWith('.json')) json(path)
    else if (name.endsWith('.safetensors')) tensorsOf(path)
  }
}

/** Asserts that two trees of values are equal to 1e-6. */
export function assertClose(actual: unknown, expected: unknown, ofProcess: readonly string[], path: string): void {
  if (typeof expected === 'number' && typeof actual === 'number' && Number.isFinite(expected)) {
    if (!(Math.abs(actual - expected) <= tolerance)) assert.fail(`${path}: ${actual}, undisturbed ${expected}`)
  } else if (typeof expected === 'object' && expected !== null && !(expected instanceof Date)) {
    assert.ok(typeof actual === 'object' && actual !== null, path)
    const isCompared = (key: string) => !ofMachine.test(key) && !ofProcess.includes(key)
    const keys = (of: object) => Object.keys(of).filter(isCompared).sort()
    assert.deepEqual(keys(actual), keys(expected), path)
    for (const key of keys(expected)) {
      const [a, b] = [actual, expected].map((of) => (of as Record<string, unknown>)[key])
      assertClose(a, b, ofProcess, `${path} ${key}`)
    }
  } else assert.deepEqual(actual, expected, path)
}

/**
 * Paths of all files. Versions of an embedding table are left out, except for the published one: a killed command may
 * leave one more or use another number.
 */
function namesIn(folder: string, path = ''): string[] {
  return readdirSync(join(folder, path))
    .sort()
    .flatMap((name) => {
      const at = join(path, name)
      if (at === 'cache') return []
      if (name === 'tables') return versionsIn(join(folder, at)).map((odd) => join(at, odd))
      const found = lstatSync(join(folder, at))
      if (found.isSymbolicLink() && !existsSync(join(folder, at))) return [`${at} leads nowhere`]
      // The links of a published table are followed.
      return found.isDirectory() || name === 'table' ? namesIn(folder, at) : found.isFile() ? [at] : []
    })
}

/** Names in a folder of versions that are not allowed there. */
function versionsIn(folder: string): string[] {
  const names = readdirSync(folder)
  const versions = names.filter((name) => /^\d+$/.test(name))
  return [...names.filter((name) => !versions.includes(name)), ...versions.slice(2).map((name) => `${name} too many`)]
}

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  return query('SELECT * FROM {table}', { table: path })
}

function tensorsOf(path: string): Record<string, unknown> {
  const file = new SafetensorsFile(path)
  try {
    return Object.fromEntries(
      [...file.entries].map(([name, { dtype }]) => [name, dtype.startsWith('F') ? file.floats(name) : file.ints(name)]),
    )
  } finally {
    file.close()
  }
}
