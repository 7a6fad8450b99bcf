import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, sharedFile } from '../../fixtures.js'

/** A Parquet file as another program wrote it: of the repository's own few, else of the shared ones. */
export function parquetFile(name: string): { path: string; skip: string | false } {
  const own = join(root, 'test/fixtures/parquet', name)
  return existsSync(own) ? { path: own, skip: false } : sharedFile(`fixtures/parquet/${name}`)
}
