/** Embedding tables as Parquet: per item its id, vectors, model version and content hash. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { DuckDBDataChunk, DuckDBType, DuckDBVector } from '@duckdb/node-api'
import { ARRAY, BIGINT, FLOAT, TINYINT, UBIGINT, VARCHAR } from '@duckdb/node-api'
import { Resources } from '../../base/resources.js'
import { Database, literal } from '../../data/tables/duckdb.js'
import { arrowSchema } from '../../formats/arrowSchema.js'
import {
  type Chunk,
  hashBytes,
  type Manifest,
  parquetFolder,
  type Summing,
  vectorFlags,
  vectorNames,
} from '../../store/index.js'

/** Most rows per file (each has one row group), and most bytes of their vectors: writing takes about ten times as much. */
const maxRows = 20_480
const maxBytes = 2 ** 24
/** Rows per chunk of DuckDB. */
const chunkRows = 2048
/** Files written in parallel, while the rows of the next are collected. */
const writerCount = 2
/** DuckDB returns memory to the system whenever this much is free. By default its memory grows with every file. */
const flushThreshold = '1MB'

type Shape = Omit<Manifest, 'rows'>

/** At most `chunkRows` rows of a chunk. */
interface Piece {
  chunk: Chunk
  from: number
  count: number
}

/** Writes rows, which come sorted by id, to parquet/part-00000.parquet and so on in the folder of a table. Close it when done. */
export class ParquetParts implements AsyncDisposable {
  private readonly partRows: number
  /** Rows of the next file, and their number. */
  private pieces: Piece[] = []
  private rows = 0
  private part = 0
  /** Files being written, oldest first: at most one per writer. */
  private readonly writing: Promise<void>[] = []

  private constructor(
    private readonly writers: readonly PartWriter[],
    private readonly folder: string,
    private readonly sums: Summing,
    { type, widths }: Shape,
  ) {
    const bytes = vectorNames.reduce((sum, name) => sum + widths[name], 0) * (type === 'int8' ? 1 : 4)
    const chunks = Math.min(maxRows, maxBytes / bytes) / chunkRows
    this.partRows = Math.max(1, Math.floor(chunks)) * chunkRows
  }

  static async open(folder: string, shape: Shape, sums: Summing): Promise<ParquetParts> {
    mkdirSync(join(folder, parquetFolder), { recursive: true })
    using opened = new Resources()
    const writers: PartWriter[] = []
    while (writers.length < writerCount) writers.push(opened.use(await PartWriter.open(shape)))
    opened.release()
    return new ParquetParts(writers, folder, sums, shape)
  }

  /** Adds rows, which must not change afterwards: they are written later. */
  async add(chunk: Chunk): Promise<void> {
    for (let from = 0; from < chunk.ids.length; ) {
      const count = Math.min(chunkRows, this.partRows - this.rows, chunk.ids.length - from)
      this.pieces.push({ chunk, from, count })
      this.rows += count
      from += count
      if (this.rows === this.partRows) await this.write()
    }
    // Writers fetch their rows in this thread.
    await setImmediate()
  }

  private async write(): Promise<void> {
    if (this.writing.length === writerCount) await this.writing.shift()
    const name = `${parquetFolder}/part-${String(this.part).padStart(5, '0')}.parquet`
    const written = this.writers[this.part++ % writerCount]
      .write(join(this.folder, name), this.pieces, this.partRows)
      .then(() => this.sums.addFile(name))
    // A failure is reported when it is awaited, not as an unhandled rejection.
    written.catch(() => {})
    this.writing.push(written)
    this.pieces = []
    this.rows = 0
  }

  /** Writes the remaining rows and waits for all files. An empty table has one file, too. */
  async finish(): Promise<void> {
    if (this.rows > 0 || this.part === 0) await this.write()
    await Promise.all(this.writing)
  }

  /** Closes the databases, after the files that are being written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.writing)
    for (const writer of this.writers) writer[Symbol.dispose]()
  }
}

/** Writes one file after another. */
class PartWriter implements Disposable {
  private pieces: Piece[] = []

  private constructor(
    private readonly db: Database,
    private readonly shape: Shape,
  ) {
    const { type, ids, widths } = shape
    const number = type === 'int8' ? TINYINT : FLOAT
    const columns: Record<string, DuckDBType> = {
      item_id: { integer: BIGINT, unsigned: UBIGINT, string: VARCHAR }[ids],
    }
    for (const name of vectorNames) columns[name] = ARRAY(number, widths[name])
    db.addTable('rows', { ...columns, content_hash: VARCHAR }, (chunk) => this.fill(chunk, this.pieces.shift()))
  }

  static async open(shape: Shape): Promise<PartWriter> {
    using opened = new Resources()
    // A row group is encoded by one thread; others would only spin.
    const db = opened.use(await Database.open({ threads: 1 }))
    await db.run(`SET allocator_flush_threshold = '${flushThreshold}'`)
    await db.run(`SET allocator_bulk_deallocation_flush_threshold = '${flushThreshold}'`)
    opened.release()
    return new PartWriter(db, shape)
  }

  async write(path: string, pieces: Piece[], rowGroup: number): Promise<void> {
    this.pieces = pieces
    const { type, id_type: idType, model_version: version, scale, lists, widths } = this.shape
    const number = type === 'int8' ? 'TINYINT' : 'FLOAT'
    const vectors = vectorNames.map((name) => `CAST(${name} AS ${number}[]) AS ${name}`)
    const query = `SELECT CAST(item_id AS ${idType}) AS item_id, ${vectors.join(', ')},
      ${literal(version)} AS model_version, content_hash FROM rows()`
    const columns = [
      { name: 'item_id', type: idType },
      ...vectorNames.map((name) => ({ name, element: number, length: widths[name] }) as const),
      ...['model_version', 'content_hash'].map((name) => ({ name, type: 'VARCHAR' })),
    ]
    const schema: Record<string, string> = lists === 'fixed' ? { 'ARROW:schema': arrowSchema(columns) } : {}
    const metadata = { model_version: version, scale: String(scale), ...schema }
    await this.db.writeParquet(query, path, rowGroup, metadata)
  }

  private fill(out: DuckDBDataChunk, piece: Piece | undefined): void {
    out.rowCount = piece?.count ?? 0
    if (!piece) return
    const {
      chunk: { ids, rows },
      from,
      count,
    } = piece
    const { type, widths } = this.shape
    out.setColumnValues(0, ids.slice(from, from + count))
    for (const [i, name] of vectorNames.entries()) {
      const vector = out.getColumnVector(i + 1) as ArrayVector
      const rowBytes = widths[name] * (type === 'int8' ? 1 : 4)
      const { buffer, byteOffset } = vector.childData.items
      const stored = new Uint8Array(buffer, byteOffset, count * rowBytes)
      stored.set(rows[name].subarray(from * rowBytes, (from + count) * rowBytes))
      for (let row = 0; row < count; row++) {
        if (!(rows.present[from + row] & vectorFlags[name])) vector.validity.setItemValid(row, false)
      }
      vector.flush()
    }
    const hashes = Array.from({ length: count }, (_, row) =>
      rows.content_hash.toString('hex', (from + row) * hashBytes, (from + row + 1) * hashBytes),
    )
    out.setColumnValues(vectorNames.length + 1, hashes)
  }

  [Symbol.dispose](): void {
    this.db.close()
  }
}

/** A DuckDB vector of fixed-length lists with the flat array of their numbers. */
type ArrayVector = DuckDBVector & {
  childData: { items: Float32Array | Int8Array }
  validity: { setItemValid(row: number, valid: boolean): void }
  flush(): void
}
