/** Metrics by step: one row for each logged step, in `history.parquet` of the run folder. */
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import { replaceFile } from '../base/files.js'
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

  /** Loads the rows of an earlier part of the run, up to `step`. */
  async load(step: number): Promise<void> {
    if (!existsSync(this.path)) return
    using db = await Database.open()
    const rows = await db.rows<Record<string, number | bigint | null>>(
      `SELECT * FROM read_parquet(${fileLiteral(this.path)}) WHERE step <= ${step} ORDER BY step`,
    )
    for (const row of rows) {
      const values = Object.entries(row).filter(([, value]) => value !== null)
      this.rows.push(Object.fromEntries(values.map(([key, value]) => [key, Number(value)])) as HistoryRow)
    }
  }
}
