/**
 * The safetensors format: 8 bytes header length, a JSON header with type, shape and byte range of each
 * tensor, then the numbers (https://github.com/huggingface/safetensors). Tensors are read one by one,
 * so that files larger than memory can be copied.
 */
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
      this.metadata = metadata as Record<string, string>
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
    if (!entry) throw new Error(`${this.path} has no tensor '${name}'`)
    return entry
  }
}

function unreadable(where: string, what: string, expected?: string): UserError {
  return new UserError({ id: 'safetensors-unreadable', where, what, expected, remedy: 'fetch or write the file again' })
}

function readHeader(bytes: Buffer, path: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'))
    if (isObject(header)) return header
  } catch {
    // Reported below.
  }
  throw unreadable(path, 'the header is not JSON', 'a JSON object')
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

/** Checks that tensors lie within the file, none over another. */
function checkPlaces(entries: ReadonlyMap<string, Entry>, available: number, path: string): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
  let [before, end] = ['', 0]
  for (const [
    name,
    {
      data_offsets: [from, to],
    },
  ] of sorted) {
    if (to > available) {
      throw unreadable(path, `tensor '${name}' ends at byte ${to}`, `at most ${available}, where the file ends`)
    }
    if (from === to) continue
    if (from < end) throw unreadable(path, `tensor '${name}' overlaps tensor '${before}'`)
    ;[before, end] = [name, to]
  }
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

/** Writes tensors in the order given. It writes in place: give a temporary name and rename the file afterwards. */
export function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Record<string, string> = {},
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
  try {
    writeAll(file, length)
    writeAll(file, header)
    for (const { name, data, shape, dtype } of tensors) {
      const whole = data()
      let written = 0
      for (const { buffer, byteOffset, byteLength: length } of ArrayBuffer.isView(whole) ? [whole] : whole) {
        writeAll(file, new Uint8Array(buffer, byteOffset, length))
        written += length
      }
      const expected = byteLength(shape, dtype)
      if (written !== expected) throw new Error(`tensor '${name}': ${written} bytes, not ${expected}`)
    }
  } finally {
    closeSync(file)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30))
}
