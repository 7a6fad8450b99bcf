/** Plain double-precision arrays to hold the operations against. */

export interface Nd {
  shape: number[]
  data: number[]
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

export const nd = (shape: number[], data: ArrayLike<number>): Nd => ({ shape, data: Array.from(data) })

/** Index of each dimension of the flat position `at`. */
export function position(at: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length)
  for (let i = shape.length - 1; i >= 0; i--) {
    index[i] = at % shape[i]
    at = Math.floor(at / shape[i])
  }
  return index
}

/** Element of `x` at `index`, counted from the last dimension, with dimensions of size 1 repeated. */
export function at(x: Nd, index: readonly number[]): number {
  let flat = 0
  x.shape.forEach((size, i) => {
    const own = index[i + index.length - x.shape.length]
    flat = flat * size + (size === 1 ? 0 : own)
  })
  return x.data[flat]
}

/** A new array of `shape` whose element at each index is `f(index)`. */
export function fill(shape: number[], f: (index: number[]) => number): Nd {
  return nd(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => f(position(i, shape))),
  )
}

export const map = (x: Nd, f: (value: number) => number): Nd => nd(x.shape, x.data.map(f))

export function broadcast(shapes: number[][]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length))
  return Array.from({ length: rank }, (_, i) => Math.max(...shapes.map((s) => s[i - rank + s.length] ?? 1)))
}

export const zip =
  (f: (...values: number[]) => number) =>
  (...xs: Nd[]) =>
    fill(broadcast(xs.map((x) => x.shape)), (index) => f(...xs.map((x) => at(x, index))))

export function reduce(x: Nd, axes: number[], keepDims: boolean, f: (values: number[]) => number): Nd {
  const groups = new Map<string, number[]>()
  x.data.forEach((value, i) => {
    const key = position(i, x.shape)
      .map((p, axis) => (axes.includes(axis) ? 0 : p))
      .join()
    groups.set(key, [...(groups.get(key) ?? []), value])
  })
  const shape = x.shape.map((s, i) => (axes.includes(i) ? 1 : s)).filter((_, i) => keepDims || !axes.includes(i))
  return nd(shape, [...groups.values()].map(f))
}

/** Applies `f` to every row along the last dimension. */
export function rows(x: Nd, f: (row: number[]) => number[]): Nd {
  const width = x.shape[x.shape.length - 1]
  const count = x.data.length / width
  return nd(x.shape, Array.from({ length: count }, (_, r) => f(x.data.slice(r * width, (r + 1) * width))).flat())
}

/** Error function by its Maclaurin series, good to 1e-12 for |x| < 4. */
export function erf(x: number): number {
  let term = x
  let total = x
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n
    total += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * total
}
