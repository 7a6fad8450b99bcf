/** Dense numbers of ids by a 63-bit hash, for ids of any type: open addressing, 16 to 48 bytes per id. */
export class HashIndex {
  private readonly mask: number
  /** [slots × 2]: low and high half of the hash. */
  private readonly keys: Int32Array
  /** Number + 1; 0 in a free slot. */
  private readonly values: Int32Array

  /** @param hashes `hashes[i]` is the hash of the id with number `numbers[i]`. */
  constructor(hashes: BigInt64Array, numbers: Int32Array) {
    let slots = 16
    while (slots < 2 * hashes.length) slots *= 2
    this.mask = slots - 1
    this.keys = new Int32Array(2 * slots)
    this.values = new Int32Array(slots)
    const halves = halvesOf(hashes)
    for (let i = 0; i < hashes.length; i++) {
      const [low, high] = [halves[2 * i], halves[2 * i + 1]]
      const slot = this.slotOf(low, high)
      if (this.values[slot] > 0) throw new Error('two ids have the same 63-bit hash')
      this.keys[2 * slot] = low
      this.keys[2 * slot + 1] = high
      this.values[slot] = numbers[i] + 1
    }
  }

  /** Number of hash `i` of `halves`; -1 if it is not in the index. */
  at(halves: Int32Array, i: number): number {
    return this.values[this.slotOf(halves[2 * i], halves[2 * i + 1])] - 1
  }

  /** Slot of the hash, or the free slot where it would be. */
  private slotOf(low: number, high: number): number {
    const { keys, values, mask } = this
    let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask
    while (values[slot] > 0 && (keys[2 * slot] !== low || keys[2 * slot + 1] !== high)) slot = (slot + 1) & mask
    return slot
  }
}

/** Low and high halves of 64-bit numbers, alternating. */
export function halvesOf(hashes: BigInt64Array): Int32Array {
  return new Int32Array(hashes.buffer, hashes.byteOffset, 2 * hashes.length)
}

/** SQL of the hash of an id or text, never negative; -1 for null. */
export const hashOf = (sql: string) => `coalesce(CAST(hash(${sql}) >> 1 AS BIGINT), -1)`
