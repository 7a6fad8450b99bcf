/** DuckDB scans, joins and sorts tables; columns arrive as typed arrays. */
import { availableParallelism } from 'node:os'
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBListVector,
  DuckDBTableFunction,
  type DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api'
import { TemporaryPath, temporaryName } from '../../base/processes/temporary.js'
import type { Column, ColumnStore } from './column.js'
import { Growing, type NumericArray, type NumericKind } from './growing.js'
import { reading } from './parquetErrors.js'
import { identifier, literal } from './quoting.js'

export { fileLiteral, identifier, literal } from './quoting.js'

/** Lists, one after another: list i is `values[offsets[i] … offsets[i + 1])`. */
export interface Lists<T> {
  values: T
  offsets: Int32Array
}

interface Kinds {
  int32: Int32Array
  int64: BigInt64Array
  float32: Float32Array
  float64: Float64Array
  uint8: Uint8Array
  string: (string | null)[]
  blob: (Uint8Array | null)[]
  'int32[]': Lists<Int32Array>
  'int64[]': Lists<BigInt64Array>
  'float32[]': Lists<Float32Array>
}

/** A value that can be inserted; Uint8Array for BLOB. */
export type SqlValue = number | bigint | string | Uint8Array | DuckDBTimestampValue | null

export type ColumnKind = keyof Kinds
export type Columns<S extends Record<string, ColumnKind>> = { [K in keyof S]: Kinds[S[K]] } & { readonly rows: number }
export type StoredColumns<S extends Record<string, NumericKind>> = { [K in keyof S]: Column<S[K]> } & {
  readonly rows: number
}

/** DuckDB type that a column is cast to for each kind. */
const sqlType: Record<ColumnKind, string> = {
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  uint8: 'UTINYINT',
  string: 'VARCHAR',
  blob: 'BLOB',
  'int32[]': 'INTEGER[]',
  'int64[]': 'BIGINT[]',
  'float32[]': 'FLOAT[]',
}

/**
 * Every method that takes SQL throws a UserError: `table-missing` or `table-unreadable` if a Parquet file cannot be read,
 * `memory-limit` if a query needs more memory than allowed.
 */
export class Database implements Disposable {
  private isStreaming = false

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly spill: TemporaryPath,
  ) {}

  /** Folder of the files to which queries spill. It is removed when the database is closed. */
  get temporary(): string {
    return this.spill.path
  }

  /** An in-memory database that spills to `temporary` when a query outgrows `memory` (e.g. "2GB"; default: DuckDB's). */
  static async open(options: { memory?: string; temporary?: string; threads?: number } = {}): Promise<Database> {
    const settings: Record<string, string> = { threads: String(options.threads ?? availableParallelism()) }
    if (options.memory) settings['memory_limit'] = options.memory
    // DuckDB's own default is a folder `.tmp` in the working folder.
    const spill = options.temporary === undefined ? temporaryName('duckdb') : new TemporaryPath(options.temporary)
    settings['temp_directory'] = spill.path
    const instance = await DuckDBInstance.create(':memory:', settings)
    const connection = await instance.connect()
    // Timestamps without a zone mean the same on every machine.
    await connection.run("SET TimeZone = 'UTC'")
    return new Database(instance, connection, spill)
  }

  async run(sql: string): Promise<void> {
    await reading(this.connection, sql, () => this.idle.connection.run(sql))
  }

  /** Rows as objects, for small results; int64 as BigInt. */
  async rows<T>(sql: string): Promise<T[]> {
    const reader = await reading(this.connection, sql, () => this.idle.connection.runAndReadAll(sql))
    return reader.getRowObjectsJS() as T[]
  }

  /** The one row of a query. */
  async row<T>(sql: string): Promise<T> {
    return (await this.rows<T>(sql))[0]
  }

  /** Number of rows of `source`, SQL that may follow FROM. */
  async count(source: string): Promise<number> {
    return Number((await this.row<{ count: bigint }>(`SELECT count(*) AS count FROM ${source}`)).count)
  }

  /**
   * Writes the rows of a query, in their order, to the file `path`, with at most `rowGroup` rows in a row group and
   * `metadata` in the footer. Integers of 128 bits, which Parquet lacks, are written as text.
   */
  async writeParquet(
    query: string,
    path: string,
    rowGroup = 122_880,
    metadata: Record<string, string> = {},
  ): Promise<void> {
    const pairs = Object.entries(metadata).map(([name, value]) => `${identifier(name)}: ${literal(value)}`)
    const footer = pairs.length > 0 ? `, KV_METADATA {${pairs.join(', ')}}` : ''
    const options = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroup}${footer}`
    await this.run(`COPY (${await this.exact(query)}) TO ${literal(path)} (${options})`)
  }

  /** The query with integers of 128 bits as text: DuckDB would write them as doubles. */
  private async exact(query: string): Promise<string> {
    const columns = await this.rows<{ name: string; type: string }>(
      `SELECT column_name AS name, column_type AS type FROM (DESCRIBE ${query})`,
    )
    const large = columns.filter(({ type }) => /\bU?HUGEINT\b/.test(type))
    if (large.length === 0) return query
    const asText = large.map(({ name, type }) => {
      const column = identifier(name)
      return `CAST(${column} AS ${type.replaceAll(/\bU?HUGEINT\b/g, 'VARCHAR')}) AS ${column}`
    })
    return `SELECT * REPLACE (${asText.join(', ')}) FROM (${query})`
  }

  /**
   * All rows of a query as columns of the given kinds, cast if needed. Numbers must not be null. With the number of rows
   * known beforehand, `expected`, arrays need not grow, which would take twice the memory.
   */
  async columns<S extends Record<string, ColumnKind>>(sql: string, kinds: S, expected?: number): Promise<Columns<S>> {
    return (await this.collect(sql, kinds, undefined, expected)) as Columns<S>
  }

  /** As `columns`, for numbers only, in columns of `store`. */
  async stored<S extends Record<string, NumericKind>>(
    sql: string,
    kinds: S,
    store: ColumnStore,
    expected?: number,
  ): Promise<StoredColumns<S>> {
    return (await this.collect(sql, kinds, store, expected)) as StoredColumns<S>
  }

  private async collect(
    sql: string,
    kinds: Record<string, ColumnKind>,
    store: ColumnStore | undefined,
    expected?: number,
  ) {
    const names = Object.keys(kinds)
    const sinks = names.map((name) => sink(kinds[name], store, expected))
    let rows = 0
    for await (const chunk of this.stream(sql, kinds)) {
      for (const [i, into] of sinks.entries()) into.add(chunk.getColumnVector(i), chunk.rowCount)
      rows += chunk.rowCount
    }
    const entries = names.map((name, i): [string, unknown] => [name, sinks[i].finish()])
    return { ...Object.fromEntries(entries), rows }
  }

  /**
   * As `columns`, in batches of about 2,048 rows, for results larger than memory. Until the last batch any other use of
   * the database throws.
   */
  async *batches<S extends Record<string, ColumnKind>>(sql: string, kinds: S): AsyncGenerator<Columns<S>> {
    const names = Object.keys(kinds)
    for await (const chunk of this.stream(sql, kinds)) {
      const entries = names.map((name, i): [string, unknown] => {
        const into = sink(kinds[name])
        into.add(chunk.getColumnVector(i), chunk.rowCount)
        return [name, into.finish()]
      })
      yield { ...Object.fromEntries(entries), rows: chunk.rowCount } as Columns<S>
    }
  }

  private async *stream(sql: string, kinds: Record<string, ColumnKind>): AsyncGenerator<DuckDBDataChunk> {
    const list = Object.entries(kinds).map(([name, kind]) => `CAST(${identifier(name)} AS ${sqlType[kind]})`)
    const { connection } = this.idle
    const result = await reading(connection, sql, () => connection.stream(`SELECT ${list.join(', ')} FROM (${sql})`))
    const next = () => reading(connection, sql, () => result.fetchChunk())
    this.isStreaming = true
    try {
      for (let chunk = await next(); chunk && chunk.rowCount > 0; chunk = await next()) {
        yield chunk
        // Its memory belongs to DuckDB; the garbage collector does not see it.
        chunk.reset()
      }
    } finally {
      this.isStreaming = false
    }
  }

  /** Throws while a result is read in batches: DuckDB would silently end that result early. */
  private get idle(): this {
    if (this.isStreaming) throw new Error('the database was used while a result was being read in batches')
    return this
  }

  /** Appends rows to `table`, which must exist: one list of values for each of its columns, all of the same length. */
  async insert(table: string, columns: readonly ArrayLike<SqlValue>[]): Promise<void> {
    const appender = await this.idle.connection.createAppender(table)
    try {
      const types = columns.map((_, i) => appender.columnType(i))
      const rows = columns[0].length
      for (let from = 0; from < rows; from += chunkRows) {
        const chunk = DuckDBDataChunk.create(types, Math.min(chunkRows, rows - from))
        for (const [i, values] of columns.entries()) {
          chunk.setColumnValues(
            i,
            Array.from({ length: chunk.rowCount }, (_, row) => toDuckDb(values[from + row])),
          )
        }
        appender.appendDataChunk(chunk)
      }
    } finally {
      appender.closeSync()
    }
  }

  /** Defines a table function `name()`; each call of `fill` adds some rows, and the call that adds none ends it. */
  addTable(name: string, columns: Record<string, DuckDBType>, fill: (chunk: DuckDBDataChunk) => void): void {
    this.connection.registerTableFunction(
      DuckDBTableFunction.create({
        name,
        bindFunction: (table) => {
          for (const [column, type] of Object.entries(columns)) table.addResultColumn(column, type)
        },
        initFunction: () => {},
        mainFunction: (_, chunk) => fill(chunk),
      }),
    )
  }

  close(): void {
    this.connection.closeSync()
    this.instance.closeSync()
    this.spill[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Rows of the largest chunk that DuckDB takes. */
const chunkRows = 2048

const toDuckDb = (value: SqlValue): DuckDBValue => (value instanceof Uint8Array ? new DuckDBBlobValue(value) : value)

/** Collects the chunks of one column. */
interface Sink {
  add(vector: DuckDBVector, rows: number): void
  finish(): unknown
}

function sink(kind: ColumnKind, store?: ColumnStore, expected?: number): Sink {
  if (kind === 'int32[]') return listSink('int32')
  if (kind === 'int64[]') return listSink('int64')
  if (kind === 'float32[]') return listSink('float32')
  if (kind === 'string' || kind === 'blob') {
    const values: unknown[] = []
    return {
      add: (vector, rows) => {
        for (let i = 0; i < rows; i++) {
          const item = vector.getItem(i) as null | string | { bytes: Uint8Array }
          // Copied, because the bytes belong to the chunk.
          values.push(item !== null && typeof item === 'object' ? Uint8Array.from(item.bytes) : item)
        }
      },
      finish: () => values,
    }
  }
  if (store) {
    const growing = store.growing(kind, expected)
    return { add: (vector, rows) => growing.push(items(vector), 0, rows), finish: () => growing.column() }
  }
  const growing = new Growing(kind, expected)
  return { add: (vector, rows) => growing.push(items(vector), 0, rows), finish: () => growing.finish() }
}

function listSink(kind: NumericKind): Sink {
  const values = new Growing(kind)
  const offsets: number[] = [0]
  return {
    add: (vector, rows) => {
      if (!(vector instanceof DuckDBListVector)) throw new Error(`not a list column: ${vector.constructor.name}`)
      const flat = items(vector.childVector)
      for (let i = 0; i < rows; i++) {
        // A null list counts as an empty one.
        if (vector.getItemVector(i)) values.push(flat, vector.getEntryOffset(i), vector.getEntryLength(i))
        offsets.push(values.length)
      }
    },
    finish: () => ({ values: values.finish(), offsets: Int32Array.from(offsets) }),
  }
}

/** The numbers of a vector, without a copy. */
function items(vector: DuckDBVector): NumericArray {
  return (vector as unknown as { items: NumericArray }).items
}

/** Rows of `width` values each as columns, for `insert`. */
export function transposed(rows: readonly (readonly SqlValue[])[], width: number): SqlValue[][] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column]))
}
