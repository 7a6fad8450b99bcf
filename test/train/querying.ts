/** Batches that a library makes in threads of its own, for the test of `Prefetcher`. */
import { Database } from '../../src/data/tables/duckdb.js'

export function batches(): (step: number) => Promise<number> {
  const opened = Database.open()
  return async (step) => {
    const db = await opened
    const rows = step === 0 ? 1 : 400_000
    return db.count(`(SELECT DISTINCT i % 1000003 FROM range(${rows}) t(i))`)
  }
}
