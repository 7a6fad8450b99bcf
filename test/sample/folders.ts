import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { Database } from '../../src/data/tables/duckdb.js'

/** A folder that is gone when the tests of the file are done. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mim-sample-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A database that is closed when the tests of the file are done. */
export async function openDatabase(): Promise<Database> {
  const db = await Database.open()
  after(() => db.close())
  return db
}
