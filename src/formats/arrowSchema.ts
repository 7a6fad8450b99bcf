/**
 * The Arrow schema that Parquet files carry under `ARROW:schema`, base64 of an IPC message. Parquet itself knows no
 * lists of a fixed size; Arrow, pandas and Polars restore them by it, and other readers pass over it.
 * https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc, Schema.fbs
 */

/** A DuckDB type of embedding tables: an integer, text, or numbers of which there are so many. */
export type ArrowColumn = { name: string; type: string } | { name: string; of: 'FLOAT' | 'TINYINT'; length: number }

/** Numbers of Message.fbs and Schema.fbs. */
const [versionV5, schemaHeader] = [4, 1]
const [intType, floatType, textType, fixedListType] = [2, 3, 5, 16]
const singlePrecision = 1
const integer = /^(U?)(TINY|SMALL|BIG|)INT(?:EGER)?$/
const bits: Record<string, number> = { TINY: 8, SMALL: 16, '': 32, BIG: 64 }

/** A value of a table: a number of so many bytes, or something that lies elsewhere. */
type Slot = { bytes: 1 | 2 | 4; value: number } | Node | undefined
/** Appends itself, and gives its place. */
type Node = (out: FlatBuffer) => number

/** Value of `ARROW:schema` for the columns of a file. */
export function arrowSchema(columns: readonly ArrowColumn[]): string {
  const schema = table([undefined, list(columns.map(field))])
  const body = new FlatBuffer().finish(
    table([{ bytes: 2, value: versionV5 }, { bytes: 1, value: schemaHeader }, schema]),
  )
  const message = Buffer.alloc(8 + Math.ceil(body.length / 8) * 8)
  message.writeUInt32LE(0xffffffff, 0)
  message.writeUInt32LE(message.length - 8, 4)
  body.copy(message, 8)
  return message.toString('base64')
}

function field(column: ArrowColumn): Node {
  const [type, shape] =
    'of' in column ? [fixedListType, table([{ bytes: 4, value: column.length }])] : scalar(column.type)
  const children = 'of' in column ? [field({ name: 'element', type: column.of })] : []
  return table([text(column.name), { bytes: 1, value: 1 }, { bytes: 1, value: type }, shape, undefined, list(children)])
}

function scalar(type: string): [number, Node] {
  if (type === 'VARCHAR') return [textType, table([])]
  if (type === 'FLOAT') return [floatType, table([{ bytes: 2, value: singlePrecision }])]
  const [, unsigned, size] = integer.exec(type)!
  return [
    intType,
    table([
      { bytes: 4, value: bits[size] },
      { bytes: 1, value: unsigned ? 0 : 1 },
    ]),
  ]
}

/**
 * Bytes in the FlatBuffers format (https://flatbuffers.dev/internals), written front to back: whatever holds a
 * reference comes before what it refers to, for references count forwards.
 */
class FlatBuffer {
  private bytes = Buffer.alloc(1024)
  private length = 0

  finish(root: Node): Buffer {
    const at = this.reserve(4, 4)
    this.refer(at, root)
    return this.bytes.subarray(0, this.length)
  }

  /** Place of so many bytes of zeros, a multiple of `align`. */
  reserve(count: number, align: number): number {
    const at = Math.ceil(this.length / align) * align
    this.length = at + count
    while (this.length > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length)])
    return at
  }

  write(at: number, value: number, bytes: number): void {
    this.bytes.writeIntLE(value, at, bytes)
  }

  copy(at: number, bytes: Buffer): void {
    bytes.copy(this.bytes, at)
  }

  refer(at: number, node: Node): void {
    this.write(at, node(this) - at, 4)
  }
}

/** A table: of each slot where it lies, from the table's place on, and then the slots. */
const table =
  (slots: readonly Slot[]): Node =>
  (out) => {
    const offsets = out.reserve(4 + 2 * slots.length, 4)
    const at = out.reserve(4 + 4 * slots.length, 4)
    out.write(offsets, 4 + 2 * slots.length, 2)
    out.write(offsets + 2, 4 + 4 * slots.length, 2)
    out.write(at, at - offsets, 4)
    for (const [i, slot] of slots.entries()) {
      if (slot === undefined) continue
      const place = 4 + 4 * i
      out.write(offsets + 4 + 2 * i, place, 2)
      if (typeof slot === 'function') out.refer(at + place, slot)
      else out.write(at + place, slot.value, slot.bytes)
    }
    return at
  }

const list =
  (nodes: readonly Node[]): Node =>
  (out) => {
    const at = out.reserve(4 + 4 * nodes.length, 4)
    out.write(at, nodes.length, 4)
    for (const [i, node] of nodes.entries()) out.refer(at + 4 + 4 * i, node)
    return at
  }

const text =
  (value: string): Node =>
  (out) => {
    const encoded = Buffer.from(value)
    // A zero follows the text.
    const at = out.reserve(4 + encoded.length + 1, 4)
    out.write(at, encoded.length, 4)
    out.copy(at + 4, encoded)
    return at
  }
