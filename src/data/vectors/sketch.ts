/**
 * Sketches of vectors: 128 signs of a random rotation each (Charikar 2002, doi:10.1145/509907.509965). The share of
 * signs in which two sketches differ grows with the angle between the vectors, and costs four words to tell.
 */
import { Random } from '../../base/random.js'

/** Words of 32 signs of a sketch. */
const words = 4
/** Coordinates of the rotation; the signs are those of the first of them. */
const fewest = 32 * words
/** In place of a sketch where there is no vector: half of its signs differ from most others. */
const noVector = [0x55555555, 0x33333333, 0x0f0f0f0f, 0x00ff00ff]

/** Sketches by number: of the vectors [rows, width] at `rowOf`, row 0 meaning none. [numbers × 4] */
export function sketches(vectors: Float32Array | Int8Array, width: number, rowOf: Int32Array, seed = 1): Int32Array {
  let size = fewest
  while (size < width) size *= 2
  const random = Random.of(seed, 'sketch')
  const flips = Float32Array.from({ length: size }, () => (random.chance(0.5) ? 1 : -1))
  const x = new Float32Array(size)
  const all = new Int32Array(rowOf.length * words)
  for (let number = 0; number < rowOf.length; number++) {
    const at = rowOf[number] * width
    if (at === 0) {
      all.set(noVector, number * words)
      continue
    }
    // A vector shorter than the rotation is repeated, with other signs each time.
    for (let i = 0; i < size; i++) x[i] = flips[i] * vectors[at + (i % width)]
    walshHadamard(x)
    for (let i = 0; i < fewest; i++) if (x[i] > 0) all[number * words + (i >> 5)] |= 1 << (i & 31)
  }
  return all
}

/** In place; the length is a power of two. */
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
