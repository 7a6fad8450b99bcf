/** Our own SIMD loops within the heap of the WASM backend, four numbers at a time; see `simd.wat`. */
import { openModule } from '../../base/webAssembly.js'
import { simdModule } from './simdModule.js'

/** Arrays are dense and row-major, given by byte addresses in the heap; all other arguments count numbers. */
export interface Simd {
  /** out [m, n] += aᵀ b of a [k, m] and b [k, n]; n is a multiple of 4. */
  productOfColumns(a: number, b: number, out: number, k: number, m: number, n: number): void
  /** out [m] = a b of a [m, k] and b [k]. */
  productOfRows(a: number, b: number, out: number, m: number, k: number): void
  /** Adds row j of values to row ids[j] of out, for `count` rows. */
  segmentSum(values: number, ids: number, out: number, count: number, width: number): void
  /** Copies row ids[j] of x to row j of out, for `count` rows. */
  gatherRows(x: number, ids: number, out: number, count: number, width: number): void
  /** Transposes each matrix [rows, columns] in x. */
  turn(x: number, out: number, matrices: number, rows: number, columns: number): void
  /** out = dy · y · (1 − y). */
  sigmoidGrad(y: number, dy: number, out: number, count: number): void
  /** out = dy where y > 0, else 0. */
  reluGrad(y: number, dy: number, out: number, count: number): void
}

/** Bytes of the memory import: its name, its kind, and the flag for shared memory. */
const sharedMemory = Buffer.from('\x06memory\x02\x03', 'latin1')
const notShared = 1

export function simdIn(memory: WebAssembly.Memory): Simd {
  const bytes = Buffer.from(simdModule, 'base64')
  const isShared = (memory.buffer as ArrayBufferLike) instanceof SharedArrayBuffer
  if (!isShared) bytes[bytes.indexOf(sharedMemory) + sharedMemory.length - 1] = notShared
  return openModule(bytes, { env: { memory } })
}
