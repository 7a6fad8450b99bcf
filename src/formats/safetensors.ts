/**
 * The safetensors format: 8 bytes header length, a JSON header with type, shape and byte range of each
 * tensor, then the numbers (https://github.com/huggingface/safetensors). Tensors are read one by one,
 * so that files larger than memory can be copied.
 */
import { isUtf8 } from 'node:buffer'
import { closeSync, openSync, writeSync } from 'node:fs'
import { UserError } from '../base/errors.js'
import { BinaryFile } from './binaryFile.js'
import { byteLength, bytesOf, floatsOf, type StoredType, type TensorFile } from './tensorFile.js'

interface Entry {
  dtype: StoredType
  shape: number[]
  data_offsets: [number, number]
}

/** Most bytes of a header, as in the reference implementation. */
const maxHeaderBytes = 100_000_000

/** An open file. Close it when done. */
export class SafetensorsFile implements TensorFile {
  readonly entries: ReadonlyMap<string, Entry>
  readonly names: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  private readonly start: number
  private readonly file: BinaryFile

  /** @throws UserError `file-missing`; `safetensors-unreadable` where the file is cut short or its header is invalid. */
  constructor(readonly path: string) {
    this.file = new BinaryFile(path)
    try {
      const { size } = this.file
      const length = size < 8 ? 0 : Number(this.file.read(0, 8).readBigUInt64LE())
      if (length < 2) throw unreadable(path, 'not a safetensors file')
      if (length > maxHeaderBytes) throw unreadable(path, `a header of ${length} bytes`, `at most ${maxHeaderBytes}`)
      if (length > size - 8)
        throw unreadable(path, `a header of ${length} bytes`, `at most the ${size - 8} in the file`)
      this.start = 8 + length
      const { __metadata__: metadata = {}, ...entries } = readHeader(this.file.read(8, length), path)
      this.metadata = checkMetadata(metadata, path)
      this.entries = new Map(Object.entries(entries).map(([name, entry]) => [name, checkEntry(name, entry, path)]))
      this.names = [...this.entries.keys()]
      checkPlaces(this.entries, size - this.start, path)
    } catch (error) {
      this.close()
      throw error
    }
  }

  has(name: string): boolean {
    return this.entries.has(name)
  }

  shape(name: string): readonly number[] {
    return this.entry(name).shape
  }

  dtype(name: string): StoredType {
    return this.entry(name).dtype
  }

  raw(name: string): Buffer {
    const [from, to] = this.entry(name).data_offsets
    return this.file.read(this.start + from, to - from)
  }

  floats(name: string): Float32Array {
    this.entry(name)
    return floatsOf(this, name)
  }

  /** @throws UserError `tensor-missing`, or `tensor-shape` for another shape or type */
  require(name: string, dtype: StoredType, shape: readonly number[]): void {
    const found = this.entry(name)
    if (found.dtype === dtype && found.shape.join() === shape.join()) return
    const what = `tensor '${name}' is ${found.dtype} [${found.shape.join(', ')}]`
    const [expected, remedy] = [`${dtype} [${shape.join(', ')}]`, 'copy the file again']
    throw new UserError({ id: 'tensor-shape', where: this.path, what, expected, remedy })
  }

  ints(name: string): Int32Array {
    if (this.entry(name).dtype !== 'I32') throw new Error(`tensor '${name}' of ${this.path} is not I32`)
    const raw = this.raw(name)
    return new Int32Array(raw.buffer, raw.byteOffset, raw.length / 4)
  }

  close(): void {
    this.file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name)
    if (entry) return entry
    const [what, remedy] = [`tensor '${name}' is missing`, 'copy the file again']
    throw new UserError({ id: 'tensor-missing', where: this.path, what, remedy })
  }
}

function unreadable(where: string, what: string, expected?: string): UserError {
  return new UserError({ id: 'safetensors-unreadable', where, what, expected, remedy: 'fetch or write the file again' })
}

function readHeader(bytes: Buffer, path: string): Record<string, unknown> {
  // As in the reference implementation; spaces may follow the object only.
  if (bytes[0] !== 0x7b || !isUtf8(bytes)) throw unreadable(path, 'the header is not JSON', 'a JSON object in UTF-8')
  const text = bytes.toString('utf8')
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch {
    // Reported below.
  }
  if (!isObject(header)) throw unreadable(path, 'the header is not JSON', 'a JSON object')
  const repeated = repeatedKey(text)
  if (repeated !== undefined) throw unreadable(path, `'${repeated}' is in the header twice`, 'each name once')
  return header
}

/** A key that occurs twice in an object of a JSON text; JSON.parse takes the last one without a word. */
function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g
  for (const [token, colon] of text.matchAll(tokens)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string
      if (open.at(-1)?.has(key)) return key
      open.at(-1)?.add(key)
    }
  }
  return undefined
}

function checkMetadata(metadata: unknown, path: string): Record<string, string> {
  const isText = isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string')
  if (!isText) throw unreadable(path, '__metadata__ has a value that is not text', 'an object of texts')
  return metadata as Record<string, string>
}

/** Checks one tensor of the header by itself. */
function checkEntry(name: string, entry: unknown, path: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isObject(entry) ? entry : {}
  const refuse = (field: string, value: unknown, expected: string) =>
    unreadable(path, `tensor '${name}': ${field} is ${JSON.stringify(value) ?? 'missing'}`, expected)
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    throw refuse('dtype', dtype, Object.keys(bytesOf).join(', '))
  }
  if (!areSizes(shape)) throw refuse('shape', shape, 'a list of sizes')
  if (!areSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw refuse('data_offsets', offsets, 'the first byte and the end')
  }
  const expected = byteLength(shape, dtype as StoredType)
  if (offsets[1] - offsets[0] !== expected) {
    throw refuse('data_offsets', offsets, `${expected} bytes, as shape and dtype need`)
  }
  return { dtype: dtype as StoredType, shape, data_offsets: [offsets[0], offsets[1]] }
}

/** Checks that tensors fill the file from its first byte to its end, one after another, as the format demands. */
function checkPlaces(entries: ReadonlyMap<string, Entry>, available: number, path: string): void {
  const sorted = [...entries].sort(([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1])
  let [before, end] = ['', 0]
  for (const [name, entry] of sorted) {
    const [from, to] = entry.data_offsets
    if (to > available) {
      throw unreadable(path, `tensor '${name}' ends at byte ${to}`, `at most ${available}, where the file ends`)
    }
    if (from < end) throw unreadable(path, `tensor '${name}' overlaps tensor '${before}'`)
    if (from > end) throw unreadable(path, `a gap of ${from - end} bytes before tensor '${name}'`, 'no gaps')
    ;[before, end] = [name, to]
  }
  if (end !== available) throw unreadable(path, `${available - end} bytes after the last tensor`, 'none')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const areSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)

/** A tensor to write; `data` is called when its turn comes and returns all bytes, or pieces of them. */
export interface TensorSource {
  name: string
  dtype: StoredType
  shape: readonly number[]
  data: () => ArrayBufferView | Iterable<ArrayBufferView>
}

/**
 * Writes tensors in the order given; `written` gets the bytes of the file, in their order. It writes in place: give a
 * temporary name and rename the file afterwards.
 */
export function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Record<string, string> = {},
  written: (bytes: Uint8Array) => void = () => {},
): void {
  let offset = 0
  const entries = tensors.map(({ name, dtype, shape }): [string, Entry] => {
    const from = offset
    offset += byteLength(shape, dtype)
    return [name, { dtype, shape: [...shape], data_offsets: [from, offset] }]
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt', ...metadata }, ...Object.fromEntries(entries) })
  const header = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = openSync(path, 'w')
  const write = (bytes: Uint8Array) => {
    writeAll(file, bytes)
    written(bytes)
  }
  try {
    write(length)
    write(header)
    for (const { name, data, shape, dtype } of tensors) {
      const whole = data()
      let total = 0
      for (const { buffer, byteOffset, byteLength: length } of ArrayBuffer.isView(whole) ? [whole] : whole) {
        write(new Uint8Array(buffer, byteOffset, length))
        total += length
      }
      const expected = byteLength(shape, dtype)
      if (total !== expected) throw new Error(`tensor '${name}': ${total} bytes, not ${expected}`)
    }
  } finally {
    closeSync(file)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30))
}
