/**
 * The Arrow schema that Parquet files carry under `ARROW:schema`: base64 of an IPC message. Parquet itself has no lists
 * of fixed length; Arrow, pandas and Polars restore them from this schema, other readers ignore it.
 * https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
 */
import { Builder } from 'flatbuffers'

/** A column of an embedding table: an integer, text, or a list of `length` numbers, by DuckDB type. */
export type ArrowColumn =
  | { name: string; type: string }
  | { name: string; element: 'FLOAT' | 'TINYINT'; length: number }

/** Constants of Message.fbs and Schema.fbs; the numbers of fields below are their positions in these tables. */
const [versionV5, schemaHeader] = [4, 1]
const [intType, floatType, textType, fixedListType] = [2, 3, 5, 16]
const singlePrecision = 1
const integer = /^(U?)(TINY|SMALL|BIG|)INT(?:EGER)?$/
const bitWidths: Record<string, number> = { TINY: 8, SMALL: 16, '': 32, BIG: 64 }

/** Value of `ARROW:schema` for the columns of a file. */
export function arrowSchema(columns: readonly ArrowColumn[]): string {
  const builder = new Builder()
  const fields = vector(
    builder,
    columns.map((column) => field(builder, column)),
  )
  const schema = table(builder, 2, () => builder.addFieldOffset(1, fields, 0))
  const message = table(builder, 4, () => {
    builder.addFieldInt16(0, versionV5, 0)
    builder.addFieldInt8(1, schemaHeader, 0)
    builder.addFieldOffset(2, schema, 0)
  })
  builder.finish(message)
  const body = builder.asUint8Array()
  // An IPC message starts with 0xffffffff and the length of the body, which is padded to a multiple of 8 bytes.
  const bytes = Buffer.alloc(8 + Math.ceil(body.length / 8) * 8)
  bytes.writeUInt32LE(0xffffffff, 0)
  bytes.writeUInt32LE(bytes.length - 8, 4)
  bytes.set(body, 8)
  return bytes.toString('base64')
}

function field(builder: Builder, column: ArrowColumn): number {
  const name = builder.createString(column.name)
  const element = 'element' in column ? [field(builder, { name: 'element', type: column.element })] : []
  const children = vector(builder, element)
  const [kind, type] = typeOf(builder, column)
  return table(builder, 6, () => {
    builder.addFieldOffset(0, name, 0)
    // Nullable.
    builder.addFieldInt8(1, 1, 0)
    builder.addFieldInt8(2, kind, 0)
    builder.addFieldOffset(3, type, 0)
    builder.addFieldOffset(5, children, 0)
  })
}

/** The kind of a type, and its table. */
function typeOf(builder: Builder, column: ArrowColumn): [kind: number, type: number] {
  if ('element' in column) {
    return [fixedListType, table(builder, 1, () => builder.addFieldInt32(0, column.length, 0))]
  }
  if (column.type === 'VARCHAR') return [textType, table(builder, 0, () => {})]
  if (column.type === 'FLOAT') {
    return [floatType, table(builder, 1, () => builder.addFieldInt16(0, singlePrecision, 0))]
  }
  const [, unsigned, size] = integer.exec(column.type)!
  const type = table(builder, 2, () => {
    builder.addFieldInt32(0, bitWidths[size], 0)
    builder.addFieldInt8(1, unsigned ? 0 : 1, 0)
  })
  return [intType, type]
}

/** Adds a table of at most `fields` fields; returns its offset. */
function table(builder: Builder, fields: number, addFields: () => void): number {
  builder.startObject(fields)
  addFields()
  return builder.endObject()
}

/** Adds a vector of tables; returns its offset. */
function vector(builder: Builder, tables: readonly number[]): number {
  builder.startVector(4, tables.length, 4)
  for (const offset of tables.toReversed()) builder.addOffset(offset)
  return builder.endVector()
}
