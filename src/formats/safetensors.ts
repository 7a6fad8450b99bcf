/**
 * The safetensors format: 8 bytes header length, a JSON header with type, shape and place of each
 * tensor, then the numbers (https://github.com/huggingface/safetensors). Tensors are read one by one,
 * so that a file larger than memory can be copied through.
 */
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { UserError } from '../base/errors.js'

export type StoredType = keyof typeof bytesOf

interface Entry {
  dtype: StoredType
  shape: number[]
  data_offsets: [number, number]
}

/** All types of the format, those that we only copy included. */
const bytesOf = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1 },
  ...{ U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4 },
  ...{ U64: 8, I64: 8, F64: 8 },
}

/** An open file. Close it when done. */
export class SafetensorsFile {
  readonly entries: ReadonlyMap<string, Entry>
  readonly metadata: Readonly<Record<string, string>>
  private readonly start: number
  private readonly file: number

  /** @throws UserError `safetensors-unreadable` for a file that is cut short or is something else. */
  constructor(readonly path: string) {
    const broken = (what: string) =>
      new UserError({ id: 'safetensors-unreadable', where: path, what, remedy: 'fetch or write the file again' })
    this.file = openFile(path)
    const size = statSync(path).size
    const length = size < 8 ? 0 : Number(this.bytes(0, 8).readBigUInt64LE())
    if (length < 2 || length > size - 8) throw broken('not a safetensors file, or cut short')
    this.start = 8 + length
    let header: Record<string, Entry>
    try {
      header = JSON.parse(this.bytes(8, length).toString('utf8'))
    } catch {
      throw broken('the header is not JSON')
    }
    const { __metadata__: metadata, ...entries } = header
    this.metadata = (metadata ?? {}) as unknown as Record<string, string>
    this.entries = new Map(Object.entries(entries))
    for (const [
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ] of this.entries) {
      const expected = shape.reduce((a, b) => a * b, 1) * bytesOf[dtype]
      if (to - from !== expected || this.start + to > size) throw broken(`tensor '${name}' does not fit the file`)
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

  /** The tensor's bytes as they are stored. */
  raw(name: string): Buffer {
    const [from, to] = this.entry(name).data_offsets
    return this.bytes(this.start + from, to - from)
  }

  /**
   * The tensor as float32, whatever floating-point type it is stored in.
   * @throws UserError `tensor-type` for one that holds no such numbers.
   */
  floats(name: string): Float32Array {
    const { dtype } = this.entry(name)
    const raw = this.raw(name)
    if (dtype === 'F32') return new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4)
    if (dtype === 'F16' || dtype === 'BF16') {
      const bits = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2)
      return dtype === 'BF16' ? fromBfloat16(bits) : fromFloat16(bits)
    }
    throw new UserError({
      id: 'tensor-type',
      where: this.path,
      what: `tensor '${name}' is ${dtype}`,
      expected: 'F32, F16 or BF16',
    })
  }

  ints(name: string): Int32Array {
    if (this.entry(name).dtype !== 'I32') throw new Error(`tensor '${name}' of ${this.path} is not I32`)
    const raw = this.raw(name)
    return new Int32Array(raw.buffer, raw.byteOffset, raw.length / 4)
  }

  close(): void {
    closeSync(this.file)
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name)
    if (!entry) throw new Error(`${this.path} has no tensor '${name}'`)
    return entry
  }

  private bytes(position: number, length: number): Buffer {
    // A buffer of its own, so that typed arrays over it are aligned.
    const buffer = Buffer.from(new ArrayBuffer(length))
    for (let done = 0; done < length; ) {
      const count = readSync(this.file, buffer, done, Math.min(length - done, 2 ** 30), position + done)
      if (count === 0) throw new Error(`${this.path} ended early`)
      done += count
    }
    return buffer
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch {
    throw new UserError({ id: 'file-missing', where: path, what: 'cannot be read', remedy: 'check the path' })
  }
}

function fromBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16
  return new Float32Array(wide.buffer)
}

function fromFloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >> 10) & 31
    const fraction = bits[i] & 1023
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? Number.NaN
            : Infinity
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    out[i] = bits[i] & 0x8000 ? -size : size
  }
  return out
}

/** A tensor to be written; `data`, whole or in pieces, is asked for when its turn comes. */
export interface TensorSource {
  name: string
  dtype: StoredType
  shape: readonly number[]
  data: () => ArrayBufferView | Iterable<ArrayBufferView>
}

/** Writes tensors in the order given. The file is written in place: write to a temporary name and rename. */
export function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Record<string, string> = {},
): void {
  let offset = 0
  const entries = tensors.map(({ name, dtype, shape }): [string, Entry] => {
    const from = offset
    offset += shape.reduce((a, b) => a * b, 1) * bytesOf[dtype]
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
      for (const { buffer, byteOffset, byteLength } of ArrayBuffer.isView(whole) ? [whole] : whole) {
        writeAll(file, new Uint8Array(buffer, byteOffset, byteLength))
        written += byteLength
      }
      const expected = shape.reduce((a, b) => a * b, 1) * bytesOf[dtype]
      if (written !== expected) throw new Error(`tensor '${name}': ${written} bytes, not ${expected}`)
    }
  } finally {
    closeSync(file)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30))
}
