/**
 * Sketches of vectors: the signs of 128 coordinates after a random rotation (Charikar 2002,
 * doi:10.1145/509907.509965). The share of signs that differ estimates the angle between two vectors from four words.
 */
import { Random } from '../../base/random.js'

/** 32-bit words per sketch. */
const words = 4
const signs = 32 * words
/** The sketch of an item without a vector: half of its signs differ from most others. */
const noVector = [0x55555555, 0x33333333, 0x0f0f0f0f, 0x00ff00ff]

/** Sketches [items × 4] of the vectors [rows, width] of items; `rowOf` maps item number to row, 0 for none. */
export function sketches(vectors: Float32Array | Int8Array, width: number, rowOf: Int32Array, seed = 1): Int32Array {
  let size = signs
  while (size < width) size *= 2
  const random = Random.of(seed, 'sketch')
  const flips = Float32Array.from({ length: size }, () => (random.chance(0.5) ? 1 : -1))
  const x = new Float32Array(size)
  const all = new Int32Array(rowOf.length * words)
  for (let item = 0; item < rowOf.length; item++) {
    const from = rowOf[item] * width
    if (from === 0) {
      all.set(noVector, item * words)
      continue
    }
    // A vector shorter than the rotation is repeated, with different random signs each time.
    for (let i = 0; i < size; i++) x[i] = flips[i] * vectors[from + (i % width)]
    walshHadamard(x)
    for (let i = 0; i < signs; i++) if (x[i] > 0) all[item * words + (i >> 5)] |= 1 << (i & 31)
  }
  return all
}

/** The fast Walsh–Hadamard transform, in place; the length is a power of two. */
function walshHadamard(x: Float32Array): void {
  for (let half = 1; half < x.length; half *= 2) {
    for (let block = 0; block < x.length; block += 2 * half) {
      for (let i = block; i < block + half; i++) {
        const [a, b] = [x[i], x[i + half]]
        x[i] = a + b
        x[i + half] = a - b
      }
    }
  }
}
