/** Typed arrays that fill up. */

export const arrayOf = {
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
} as const satisfies { [K in NumericKind]: new (length: number) => ArrayOf[K] }

export interface ArrayOf {
  int32: Int32Array
  int64: BigInt64Array
  float32: Float32Array
  float64: Float64Array
  uint8: Uint8Array
}
export type NumericKind = keyof ArrayOf
export type NumericArray = ArrayOf[NumericKind]

/** A typed array that grows by doubling; it starts with space for `expected` numbers. */
export class Growing<K extends NumericKind = NumericKind> {
  length = 0
  private array: NumericArray

  constructor(
    private readonly kind: K,
    expected = 1024,
  ) {
    this.array = new arrayOf[kind](Math.max(1, expected))
  }

  add(value: number): void {
    if (this.length === this.array.length) this.makeRoom(1)
    ;(this.array as Int32Array)[this.length++] = value
  }

  at(index: number): number {
    return (this.array as Int32Array)[index]
  }

  /** Removes all but the first `length` numbers. */
  cut(length: number): void {
    this.length = length
  }

  push(items: NumericArray, from: number, count: number): void {
    if (this.length + count > this.array.length)
      this.makeRoom(count)
      // Both are of the kind that the column was cast to.
    ;(this.array as Int32Array).set((items as Int32Array).subarray(from, from + count), this.length)
    this.length += count
  }

  /** The numbers; nothing may be added afterwards. */
  finish(): ArrayOf[K] {
    const { array, length } = this
    return (length === array.length ? array : array.slice(0, length)) as ArrayOf[K]
  }

  private makeRoom(count: number): void {
    const larger = new arrayOf[this.kind](Math.max(this.array.length * 2, this.length + count))
    ;(larger as Int32Array).set(this.array as Int32Array)
    this.array = larger
  }
}
