/** Tensors as views of numbers: the element of index (i, j, …) is at the sum of i × its stride, j × its stride, … */
import { byteLength, bytesOf, type StoredType } from './tensorFile.js'

/** Elements of the storage from the first one of a tensor to its last one. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0
  return shape.reduce((span, size, i) => span + (size - 1) * strides[i], 1)
}

/** Whether the elements lie in row-major order without gaps. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false
    expected *= shape[i]
  }
  return true
}

/** The elements of a tensor in row-major order, from the bytes that it spans. */
export function gathered(
  bytes: Buffer,
  dtype: StoredType,
  shape: readonly number[],
  strides: readonly number[],
): Buffer {
  const out = Buffer.from(new ArrayBuffer(byteLength(shape, dtype)))
  const [from, to] = [numbersOf(bytes, bytesOf[dtype]), numbersOf(out, bytesOf[dtype])]
  const index = shape.map(() => 0)
  let at = 0
  for (let i = 0; i < to.length; i++) {
    to[i] = from[at]
    // The next index in row-major order.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]
      if (++index[axis] < shape[axis]) break
      at -= shape[axis] * strides[axis]
      index[axis] = 0
    }
  }
  return out
}

/** `bytes` as whole numbers of `size` bytes, which are copied bit by bit. */
function numbersOf({ buffer, byteOffset, byteLength }: Buffer, size: number) {
  const Numbers = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size as 8]
  return new Numbers(buffer as ArrayBuffer, byteOffset, byteLength / size)
}
