/** Data in shared memory, which threads use without a copy of their own. */
import type { TypedArray } from '../../ops/tensor.js'
import { Column } from './column.js'

type ArrayType<T> = new (buffer: SharedArrayBuffer) => T

/** The same numbers in shared memory; an array that is there already is returned unchanged. */
export function shareArray<T extends TypedArray>(array: T): T {
  if (array.buffer instanceof SharedArrayBuffer) return array
  const copy = new (array.constructor as ArrayType<T>)(new SharedArrayBuffer(array.byteLength))
  copy.set(array)
  return copy
}

/** Moves every typed array of a tree of plain objects, lists of them and columns to shared memory, one at a time. */
export function shareArrays<T extends object>(tree: T): T {
  const at = tree as Record<string, unknown>
  for (const [key, value] of Object.entries(tree)) {
    if (isTyped(value)) at[key] = shareArray(value)
    else if (isBranch(value)) shareArrays(value)
  }
  return tree
}

const isTyped = (value: unknown): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView)

/** Lists of other values than objects, such as texts, contain no arrays. */
function isBranch(value: unknown): value is object {
  if (Array.isArray(value)) return isBranch(value[0])
  if (typeof value !== 'object' || value === null) return false
  return value instanceof Column || Object.getPrototypeOf(value) === Object.prototype
}

/** Texts by index. */
export interface Texts {
  at(index: number): string | null | undefined
}

/** Texts as UTF-8, one after another; text i is `bytes[ends[i − 1] … ends[i])`, or null. */
export interface PackedTexts {
  bytes: Uint8Array
  ends: Float64Array
  isNull: Uint8Array
}

/** Texts in shared memory. A worker thread makes its own object from `packed`. */
export class SharedTexts implements Texts {
  constructor(readonly packed: PackedTexts) {}

  static of(texts: readonly (string | null)[]): SharedTexts {
    const ends = new Float64Array(new SharedArrayBuffer(8 * texts.length))
    const isNull = new Uint8Array(new SharedArrayBuffer(texts.length))
    let size = 0
    texts.forEach((text, i) => {
      size += Buffer.byteLength(text ?? '')
      ends[i] = size
      isNull[i] = text === null ? 1 : 0
    })
    const memory = Buffer.from(new SharedArrayBuffer(size))
    texts.forEach((text, i) => {
      memory.write(text ?? '', i > 0 ? ends[i - 1] : 0)
    })
    return new SharedTexts({ bytes: new Uint8Array(memory.buffer), ends, isNull })
  }

  at(index: number): string | null {
    const { bytes, ends, isNull } = this.packed
    if (isNull[index]) return null
    const from = index > 0 ? ends[index - 1] : 0
    return Buffer.from(bytes.buffer, from, ends[index] - from).toString()
  }
}
