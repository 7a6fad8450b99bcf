/** Metrics by step: one row for each logged step, in `history.parquet` of the run folder. */
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import { messageOf } from '../base/errors.js'
import { replaceFile } from '../base/files.js'
import { requireFile } from '../base/ownFile.js'
import { placeError } from '../base/places.js'
import { Database, fileLiteral } from '../data/tables/duckdb.js'

// parquetjs-lite has no types of its own.
interface ParquetJs {
  ParquetSchema: new (fields: Record<string, { type: string; optional?: boolean }>) => unknown
  ParquetWriter: {
    openStream(
      schema: unknown,
      to: Writable,
    ): Promise<{ appendRow(row: object): Promise<void>; close(): Promise<void> }>
  }
}

export type HistoryRow = { step: number } & Record<string, number>

export class History {
  readonly rows: HistoryRow[] = []

  constructor(private readonly path: string) {}

  /** Adds a row, or adds values to the last row if it has the same step. NaN (a metric of no rows) is left out. */
  add(values: HistoryRow): void {
    const row = Object.fromEntries(Object.entries(values).filter(([, value]) => !Number.isNaN(value))) as HistoryRow
    const last = this.rows[this.rows.length - 1]
    if (last?.step === row.step) Object.assign(last, row)
    else this.rows.push(row)
  }

  /** Writes all rows. The file is replaced as a whole, so that it is always complete. */
  async save(): Promise<void> {
    const { ParquetSchema, ParquetWriter } = createRequire(import.meta.url)('parquetjs-lite') as ParquetJs
    const columns = [...new Set(this.rows.flatMap((row) => Object.keys(row)))]
    const fields = columns.map((name) => [
      name,
      name === 'step' ? { type: 'INT64' } : { type: 'DOUBLE', optional: true },
    ])
    if (columns.length === 0) return
    // In memory first: the library does not wait for all that it writes, so nobody would catch the error of a full disk.
    const pieces: Uint8Array[] = []
    const memory = new Writable({
      write: (piece, _encoding, done) => {
        pieces.push(piece)
        done()
      },
    })
    const writer = await ParquetWriter.openStream(new ParquetSchema(Object.fromEntries(fields)), memory)
    for (const row of this.rows) await writer.appendRow(row)
    await writer.close()
    await replaceFile(this.path, (temporary) => writeFileSync(temporary, Buffer.concat(pieces)))
  }

  /**
   * Loads the rows of an earlier part of the run, up to `step`. Returns why they cannot be read: they are for the report
   * only, so that a spoilt file must not end the run.
   */
  async load(step: number): Promise<string | undefined> {
    if (!existsSync(this.path)) return undefined
    requireFile(this.path, { remedy: 'remove it' })
    using db = await Database.open()
    try {
      const rows = await db.rows<Record<string, unknown>>(
        `SELECT * FROM read_parquet(${fileLiteral(this.path)}) WHERE step <= ${step} ORDER BY step`,
      )
      const read = rows.map((row) => Object.entries(row).filter(([, value]) => value !== null))
      const odd = read.flat().find(([, value]) => typeof value !== 'number' && typeof value !== 'bigint')
      if (odd) return `column '${odd[0]}' is not of numbers`
      for (const row of read) {
        this.rows.push(Object.fromEntries(row.map(([key, value]) => [key, Number(value)])) as HistoryRow)
      }
      return undefined
    } catch (error) {
      // No permission, or a disk that fails: the file may be whole.
      if (placeError((error as Error).cause ?? error)) throw error
      return messageOf(error).split('\n')[0]
    }
  }
}
