/** Embedding tables as Parquet: one row for each item, with its vectors, what made them and from what. */
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { DuckDBDataChunk, DuckDBType, DuckDBVector } from '@duckdb/node-api'
import { ARRAY, BIGINT, FLOAT, TINYINT, UBIGINT, VARCHAR } from '@duckdb/node-api'
import { Database, literal } from '../../data/tables/duckdb.js'
import { arrowSchema } from '../../formats/arrowSchema.js'
import { type Chunk, flags, hashBytes, type Manifest, type VectorName, vectorNames } from '../../store/index.js'

/** Rows of a file, and of a row group, at most; fewer where they would be more bytes, which are held some ten times over. */
const mostRows = 20_480
const mostBytes = 2 ** 24
/** Rows that DuckDB takes at a time. */
const chunkRows = 2048
/** Files that are written at a time, while the rows of the next are gathered. */
const writerCount = 2
/** Memory is given back whenever so much of it is freed: left to itself DuckDB holds more with every file. */
const freed = '1MB'

/** Bit that says whether a row has the vector. */
const bits: Record<VectorName, number> = {
  embedding: flags.embedding,
  image_embedding: flags.image,
  text_embedding: flags.text,
}

type Shape = Omit<Manifest, 'rows'>

/** Rows of a chunk, as many as DuckDB takes at most. */
interface Piece {
  chunk: Chunk
  from: number
  count: number
}

/** Writes rows that come in the order of their ids as part-00000.parquet and so on into a folder. */
export class ParquetParts {
  private readonly partRows: number
  private held: Piece[] = []
  private rows = 0
  private part = 0
  /** Files on their way, the first one first: each writer has one at most. */
  private readonly writing: Promise<void>[] = []

  private constructor(
    private readonly writers: readonly PartWriter[],
    private readonly folder: string,
    { type, widths }: Shape,
  ) {
    const bytes = vectorNames.reduce((sum, name) => sum + widths[name], 0) * (type === 'int8' ? 1 : 4)
    const chunks = Math.min(mostRows, mostBytes / bytes) / chunkRows
    this.partRows = Math.max(1, Math.floor(chunks)) * chunkRows
  }

  static async open(folder: string, shape: Shape): Promise<ParquetParts> {
    const writers = Array.from({ length: writerCount }, () => PartWriter.open(shape))
    return new ParquetParts(await Promise.all(writers), folder, shape)
  }

  /** Adds rows, which must stay as they are: they are written later. */
  async add(chunk: Chunk): Promise<void> {
    for (let from = 0; from < chunk.ids.length; ) {
      const count = Math.min(chunkRows, this.partRows - this.rows, chunk.ids.length - from)
      this.held.push({ chunk, from, count })
      this.rows += count
      from += count
      if (this.rows === this.partRows) await this.write()
    }
    // Writers ask for their rows in this thread.
    await setImmediate()
  }

  private async write(): Promise<void> {
    if (this.writing.length === writerCount) await this.writing.shift()
    const path = join(this.folder, `part-${String(this.part).padStart(5, '0')}.parquet`)
    const written = this.writers[this.part++ % writerCount].write(path, this.held, this.partRows)
    // A failure is reported when its turn comes, not as unhandled.
    written.catch(() => {})
    this.writing.push(written)
    this.held = []
    this.rows = 0
  }

  /** Writes what is left; a table without rows has one file, too. */
  async finish(): Promise<void> {
    if (this.rows > 0 || this.part === 0) await this.write()
    await Promise.all(this.writing)
    for (const writer of this.writers) writer.close()
  }
}

/** Writes one file after the other. */
class PartWriter {
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
    // One thread encodes a row group; others would spin for want of another.
    const db = await Database.open({ threads: 1 })
    await db.run(`SET allocator_flush_threshold = '${freed}'`)
    await db.run(`SET allocator_bulk_deallocation_flush_threshold = '${freed}'`)
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
      ...vectorNames.map((name) => ({ name, of: number, length: widths[name] }) as const),
      ...['model_version', 'content_hash'].map((name) => ({ name, type: 'VARCHAR' })),
    ]
    const sizes: Record<string, string> = lists === 'fixed' ? { 'ARROW:schema': arrowSchema(columns) } : {}
    const metadata = { model_version: version, scale: String(scale), ...sizes }
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
        if (!(rows.present[from + row] & bits[name])) vector.validity.setItemValid(row, false)
      }
      vector.flush()
    }
    const hashes = Array.from({ length: count }, (_, row) =>
      rows.content_hash.toString('hex', (from + row) * hashBytes, (from + row + 1) * hashBytes),
    )
    out.setColumnValues(vectorNames.length + 1, hashes)
  }

  close(): void {
    this.db.close()
  }
}

/** A fixed-length list of DuckDB with the numbers behind it, as they lie in memory. */
type ArrayVector = DuckDBVector & {
  childData: { items: Float32Array | Int8Array }
  validity: { setItemValid(row: number, valid: boolean): void }
  flush(): void
}
