/** The files of an embedding table's rows: vectors, what they were made from, and which of them there are. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NpyFile } from '../formats/npy.js'

export const vectorNames = ['embedding', 'image_embedding', 'text_embedding'] as const
export type VectorName = (typeof vectorNames)[number]

/** Numbers are stored as they are, or as int8 of the scale 1/127: unit vectors have none beyond 1. */
export const vectorTypes = ['float32', 'int8'] as const
export type VectorType = (typeof vectorTypes)[number]
export const int8Scale = 1 / 127

/** Bits of the array `present`: which vectors there are; taken over from an older table; the picture is broken. */
export const flags = { image: 1, text: 2, embedding: 4, unchanged: 8, broken: 16 } as const

/** Bytes of a content hash. */
export const hashBytes = 16

export interface RowShape {
  type: VectorType
  widths: Record<VectorName, number>
}

/** Rows as they lie on disk: of each array a buffer of `count` rows. */
export type RawRows = Record<VectorName | 'content_hash' | 'present', Buffer>

const file = (folder: string, name: string) => join(folder, `${name}.npy`)

/** The arrays `embedding`, `image_embedding`, `text_embedding` [rows, width], `content_hash` [rows, 16], `present` [rows]. */
export class RowFiles {
  private constructor(private readonly arrays: Record<keyof RawRows, NpyFile>) {}

  static create(folder: string, { type, widths }: RowShape, rows: number): RowFiles {
    mkdirSync(folder, { recursive: true })
    const vector = (name: VectorName) =>
      NpyFile.create(file(folder, name), type === 'int8' ? '|i1' : '<f4', rows, widths[name])
    return new RowFiles({
      embedding: vector('embedding'),
      image_embedding: vector('image_embedding'),
      text_embedding: vector('text_embedding'),
      content_hash: NpyFile.create(file(folder, 'content_hash'), '|u1', rows, hashBytes),
      present: NpyFile.create(file(folder, 'present'), '|u1', rows),
    })
  }

  static open(folder: string, mode: 'r' | 'r+' = 'r'): RowFiles {
    const open = (name: string) => NpyFile.open(file(folder, name), mode)
    return new RowFiles({
      embedding: open('embedding'),
      image_embedding: open('image_embedding'),
      text_embedding: open('text_embedding'),
      content_hash: open('content_hash'),
      present: open('present'),
    })
  }

  static exists(folder: string): boolean {
    return existsSync(file(folder, 'present'))
  }

  get rows(): number {
    return this.arrays.present.rows
  }

  get shape(): RowShape {
    const { embedding, image_embedding, text_embedding } = this.arrays
    return {
      type: embedding.type === '|i1' ? 'int8' : 'float32',
      widths: {
        embedding: embedding.width!,
        image_embedding: image_embedding.width!,
        text_embedding: text_embedding.width!,
      },
    }
  }

  array(name: keyof RawRows): NpyFile {
    return this.arrays[name]
  }

  read(from: number, count: number): RawRows {
    const of = (name: keyof RawRows) => this.arrays[name].read(from, count)
    return {
      embedding: of('embedding'),
      image_embedding: of('image_embedding'),
      text_embedding: of('text_embedding'),
      content_hash: of('content_hash'),
      present: of('present'),
    }
  }

  /** Writes rows from row `from` on. What says that they are there comes last, for a process that is killed. */
  write(from: number, rows: RawRows): void {
    for (const name of [...vectorNames, 'content_hash', 'present'] as const) this.arrays[name].write(from, rows[name])
  }

  /** Sets the number of rows to those written. */
  finish(): void {
    for (const array of Object.values(this.arrays)) {
      array.resize(array.rows)
      array.sync()
    }
  }

  close(): void {
    for (const array of Object.values(this.arrays)) array.close()
  }
}

/** A vector as it is stored: cut to the first `width` numbers, brought back to unit norm, in `type`. */
export function storedVector(vector: Float32Array, width: number, type: VectorType): Float32Array | Int8Array {
  const unit = width < vector.length ? normalized(vector.subarray(0, width)) : vector
  return type === 'int8' ? Int8Array.from(unit, (x) => Math.round(x / int8Scale)) : unit
}

function normalized(vector: Float32Array): Float32Array {
  const norm = normOf(vector, 0, vector.length)
  return norm > 0 ? vector.map((x) => x / norm) : vector
}

/** Stored bytes as numbers; int8 comes with its scale applied. */
export function asFloats(bytes: Uint8Array, type: VectorType): Float32Array {
  if (type === 'float32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  return Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), (x) => x * int8Scale)
}

/** Euclidean length of the `d` numbers of `vectors` from `at` on. */
export function normOf(vectors: Float32Array, at: number, d: number): number {
  let sum = 0
  for (let k = at; k < at + d; k++) sum += vectors[k] * vectors[k]
  return Math.sqrt(sum)
}
