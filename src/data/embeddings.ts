/** Embedding tables as Parquet: one row for each item, with its vectors, what made them and from what. */
import { join } from 'node:path'
import type { DuckDBVector } from '@duckdb/node-api'
import { ARRAY, BIGINT, DuckDBDataChunk, FLOAT, TINYINT, UBIGINT, VARCHAR } from '@duckdb/node-api'
import { type Chunk, flags, hashBytes, type Manifest, type VectorName, vectorNames } from '../store/index.js'
import { arrowSchema } from './arrowSchema.js'
import { type Database, literal } from './duckdb.js'

const staged = 'staged_embeddings'

/** Rows of a file, and of a row group, at most; fewer where they would be more bytes, which are held some ten times over. */
const mostRows = 20_480
const mostBytes = 2 ** 24
/** Rows that DuckDB takes at a time. */
const chunkRows = 2048
/** Memory is given back whenever so much of it is freed: left to itself DuckDB holds more with every file. */
const freed = '1MB'

/** Bit that says whether a row has the vector. */
const bits: Record<VectorName, number> = {
  embedding: flags.embedding,
  image_embedding: flags.image,
  text_embedding: flags.text,
}

/** Writes rows that come in the order of their ids as part-00000.parquet and so on into a folder. */
export class ParquetParts {
  private rows = 0
  private part = 0
  private readonly partRows: number
  /** One for all rows: what it holds is DuckDB's memory, of which the garbage collector knows nothing. */
  private readonly chunk: DuckDBDataChunk

  private constructor(
    private readonly db: Database,
    private readonly folder: string,
    private readonly manifest: Omit<Manifest, 'rows'>,
    private appender: Awaited<ReturnType<Database['appender']>>,
  ) {
    const { type, ids, widths } = manifest
    const bytes = vectorNames.reduce((sum, name) => sum + widths[name], 0) * (type === 'int8' ? 1 : 4)
    const chunks = Math.min(mostRows, mostBytes / bytes) / chunkRows
    this.partRows = Math.max(1, Math.floor(chunks)) * chunkRows
    const number = type === 'int8' ? TINYINT : FLOAT
    const id = { integer: BIGINT, unsigned: UBIGINT, string: VARCHAR }[ids]
    const vectors = vectorNames.map((name) => ARRAY(number, widths[name]))
    this.chunk = DuckDBDataChunk.create([id, ...vectors, VARCHAR])
  }

  static async open(db: Database, folder: string, manifest: Omit<Manifest, 'rows'>): Promise<ParquetParts> {
    await db.run(`SET allocator_flush_threshold = '${freed}'`)
    await db.run(`SET allocator_bulk_deallocation_flush_threshold = '${freed}'`)
    return new ParquetParts(db, folder, manifest, await newStage(db, manifest))
  }

  async add(chunk: Chunk): Promise<void> {
    for (let from = 0; from < chunk.ids.length; ) {
      const count = Math.min(chunkRows, this.partRows - this.rows, chunk.ids.length - from)
      this.append(chunk, from, count)
      this.rows += count
      from += count
      if (this.rows === this.partRows) await this.write()
    }
  }

  private append({ ids, rows }: Chunk, from: number, count: number): void {
    const { type, widths } = this.manifest
    const { chunk } = this
    chunk.reset()
    chunk.rowCount = count
    chunk.setColumnValues(0, ids.slice(from, from + count))
    for (const [i, name] of vectorNames.entries()) {
      const width = widths[name]
      const vector = chunk.getColumnVector(i + 1) as ArrayVector
      const rowBytes = width * (type === 'int8' ? 1 : 4)
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
    chunk.setColumnValues(vectorNames.length + 1, hashes)
    this.appender.appendDataChunk(chunk)
  }

  private async write(): Promise<void> {
    const { type, id_type: idType, model_version: version, scale, lists, widths } = this.manifest
    this.appender.closeSync()
    const number = type === 'int8' ? 'TINYINT' : 'FLOAT'
    const vectors = vectorNames.map((name) => `CAST(${name} AS ${number}[]) AS ${name}`)
    const query = `SELECT CAST(item_id AS ${idType}) AS item_id, ${vectors.join(', ')},
      ${literal(version)} AS model_version, content_hash FROM ${staged}`
    const name = `part-${String(this.part++).padStart(5, '0')}.parquet`
    const columns = [
      { name: 'item_id', type: idType },
      ...vectorNames.map((name) => ({ name, of: number, length: widths[name] }) as const),
      ...['model_version', 'content_hash'].map((name) => ({ name, type: 'VARCHAR' })),
    ]
    const sizes: Record<string, string> = lists === 'fixed' ? { 'ARROW:schema': arrowSchema(columns) } : {}
    const metadata = { model_version: version, scale: String(scale), ...sizes }
    await this.db.writeParquet(query, join(this.folder, name), this.partRows, metadata)
    this.appender = await newStage(this.db, this.manifest)
    this.rows = 0
  }

  /** Writes what is left; a table without rows has one file, too. */
  async finish(): Promise<void> {
    if (this.rows > 0 || this.part === 0) await this.write()
    this.appender.closeSync()
    await this.db.run(`DROP TABLE ${staged}`)
  }
}

/** An empty table for the rows of a file; one that was emptied would keep its memory. */
async function newStage(db: Database, { type, ids, widths }: Omit<Manifest, 'rows'>) {
  const number = type === 'int8' ? 'TINYINT' : 'FLOAT'
  const id = { integer: 'BIGINT', unsigned: 'UBIGINT', string: 'VARCHAR' }[ids]
  const vectors = vectorNames.map((name) => `${name} ${number}[${widths[name]}]`)
  await db.run(`CREATE OR REPLACE TEMP TABLE ${staged} (item_id ${id}, ${vectors.join(', ')}, content_hash VARCHAR)`)
  return await db.appender(staged)
}

/** A fixed-length list of DuckDB with the numbers behind it, as they lie in memory. */
type ArrayVector = DuckDBVector & {
  childData: { items: Float32Array | Int8Array }
  validity: { setItemValid(row: number, valid: boolean): void }
  flush(): void
}
