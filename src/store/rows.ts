/** The files of an embedding table's rows: vectors, content hashes, and flags that say which vectors a row has. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Resources } from '../base/resources.js'
import { NpyFile, type NpyShape } from '../formats/npy.js'

export const vectorNames = ['embedding', 'image_embedding', 'text_embedding'] as const
export type VectorName = (typeof vectorNames)[number]

/** Vectors are stored as float32, or as int8 with the scale 1/127, which suffices for unit vectors. */
export const vectorTypes = ['float32', 'int8'] as const
export type VectorType = (typeof vectorTypes)[number]
export const int8Scale = 1 / 127

/** Bits of `present`: the vectors that exist; that the row is to be copied from the older table; a broken picture. */
export const flags = { image: 1, text: 2, embedding: 4, unchanged: 8, broken: 16 } as const

/** Bytes of a content hash. */
export const hashBytes = 16

export interface RowShape {
  type: VectorType
  widths: Record<VectorName, number>
}

/** All arrays of a row, in the order in which they are written. */
export const arrayNames = [...vectorNames, 'content_hash', 'present'] as const
type ArrayName = (typeof arrayNames)[number]

/** Stored bytes of some rows, by array. */
export type RawRows = Record<ArrayName, Buffer>

/** A record of `make(name)` for each array. */
export function mapArrays<T>(make: (name: ArrayName) => T): Record<ArrayName, T> {
  return Object.fromEntries(arrayNames.map((name) => [name, make(name)])) as Record<ArrayName, T>
}

/** Name of the file of an array. */
export const arrayFile = (name: ArrayName) => `${name}.npy`
const pathOf = (folder: string, name: ArrayName) => join(folder, arrayFile(name))

function arrayShape(name: ArrayName, { type, widths }: RowShape): NpyShape {
  if (name === 'present') return { type: '|u1' }
  if (name === 'content_hash') return { type: '|u1', width: hashBytes }
  return { type: type === 'int8' ? '|i1' : '<f4', width: widths[name] }
}

/** The arrays `embedding`, `image_embedding`, `text_embedding` [rows, width], `content_hash` [rows, 16], `present` [rows]. */
export class RowFiles implements Disposable {
  private constructor(private readonly arrays: Record<ArrayName, NpyFile>) {}

  static create(folder: string, shape: RowShape, rows: number): RowFiles {
    mkdirSync(folder, { recursive: true })
    return RowFiles.openEach((name) => {
      const { type, width } = arrayShape(name, shape)
      return NpyFile.create(pathOf(folder, name), type, rows, width)
    })
  }

  /** @throws UserError `store-broken` where a file is missing, cut short or of another shape. */
  static open(folder: string, shape: RowShape & { rows: number }, mode: 'r' | 'r+' = 'r'): RowFiles {
    const { rows } = shape
    return RowFiles.openEach((name) => NpyFile.open(pathOf(folder, name), mode, { ...arrayShape(name, shape), rows }))
  }

  private static openEach(open: (name: ArrayName) => NpyFile): RowFiles {
    using opened = new Resources()
    const arrays = mapArrays((name) => opened.use(open(name)))
    opened.release()
    return new RowFiles(arrays)
  }

  get rows(): number {
    return this.arrays.present.rows
  }

  array(name: ArrayName): NpyFile {
    return this.arrays[name]
  }

  read(from: number, count: number): RawRows {
    return mapArrays((name) => this.arrays[name].read(from, count))
  }

  /** Writes rows starting at row `from`. `present` comes last: a process may be killed in between. */
  write(from: number, rows: RawRows): void {
    for (const name of arrayNames) this.arrays[name].write(from, rows[name])
  }

  /** Writes the number of rows into the headers and waits until all is on the disk. */
  finish(): void {
    for (const array of Object.values(this.arrays)) {
      array.resize(array.rows)
      array.sync()
    }
  }

  close(): void {
    for (const array of Object.values(this.arrays)) array.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The bit of `present` for each vector. */
export const vectorFlags: Record<VectorName, number> = {
  embedding: flags.embedding,
  image_embedding: flags.image,
  text_embedding: flags.text,
}

/** What is wrong with the vectors that row `row` of `rows` has; undefined if all are finite and have a direction. */
export function oddVector(rows: RawRows, row: number, { type, widths }: RowShape): string | undefined {
  for (const name of vectorNames) {
    if (!(rows.present[row] & vectorFlags[name])) continue
    const size = widths[name] * (type === 'int8' ? 1 : 4)
    // Aligned, because whole arrays are read into buffers of their own.
    const vector = asFloats(rows[name].subarray(row * size, (row + 1) * size), type)
    const problem = vectorProblem(vector)
    if (problem !== undefined) return `${name} ${problem}`
  }
  return undefined
}

/** Why a vector cannot be used: "has a NaN", "is zero"; undefined if it can. */
export function vectorProblem(vector: Float32Array): string | undefined {
  let isZero = true
  for (const x of vector) {
    if (!Number.isFinite(x)) return `has a number that is ${x}`
    if (x !== 0) isZero = false
  }
  return isZero ? 'is zero: it has no direction' : undefined
}

/** A vector as it is stored: its first `width` numbers, scaled to unit norm, in `type`. */
export function storedVector(vector: Float32Array, width: number, type: VectorType): Float32Array | Int8Array {
  const unit = width < vector.length ? normalized(vector.subarray(0, width)) : vector
  return type === 'int8' ? Int8Array.from(unit, (x) => Math.round(x / int8Scale)) : unit
}

function normalized(vector: Float32Array): Float32Array {
  const norm = normOf(vector, 0, vector.length)
  return norm > 0 ? vector.map((x) => x / norm) : vector
}

/** Stored bytes as numbers; int8 is multiplied by its scale. */
export function asFloats(bytes: Uint8Array, type: VectorType): Float32Array {
  if (type === 'float32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  return Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), (x) => x * int8Scale)
}

/** Euclidean norm of the `width` numbers of `vectors` that start at index `from`. */
export function normOf(vectors: ArrayLike<number>, from: number, width: number): number {
  let sum = 0
  for (let k = from; k < from + width; k++) sum += vectors[k] * vectors[k]
  return Math.sqrt(sum)
}
