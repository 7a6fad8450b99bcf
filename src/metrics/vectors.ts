/** Number of d-dimensional rows in `vectors` [n·d]; throws on a remainder or a component that is not finite. */
export function countVectors(name: string, vectors: Float32Array, d: number): number {
  if (!Number.isInteger(d) || d < 1) throw new Error(`dimension ${d}; expected an integer from 1`)
  if (vectors.length % d !== 0) throw new Error(`${name} has ${vectors.length} numbers; expected a multiple of ${d}`)
  for (let i = 0; i < vectors.length; i++) {
    if (!Number.isFinite(vectors[i])) {
      throw new Error(`${name} row ${Math.floor(i / d) + 1} has ${vectors[i]}; expected finite numbers`)
    }
  }
  return vectors.length / d
}

/** Inner product of d numbers of `a` from `atA` and of `b` from `atB`, summed in order in float64. */
export function dot(
  a: Float32Array | Float64Array,
  atA: number,
  b: Float32Array | Float64Array,
  atB: number,
  d: number,
): number {
  let sum = 0
  for (let k = 0; k < d; k++) sum += a[atA + k] * b[atB + k]
  return sum
}
