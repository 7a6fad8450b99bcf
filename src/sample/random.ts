/** Seeded randomness: the same numbers on every machine, and a named stream for every purpose. */

export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number
  /** Uniform in [low, high). */
  between(low: number, high: number): number
  /** Uniform integer in [0, n). */
  integer(n: number): number
  /** Standard normal. */
  normal(): number
  /** Exponential of mean 1. */
  exponential(): number
  /** True with probability p. */
  chance(p: number): boolean
  pick<T>(choices: readonly T[]): T
  /** An index, drawn in proportion to non-negative weights. */
  weighted(weights: ArrayLike<number>): number
  /** The numbers 0 … n − 1 in random order. */
  permutation(n: number): Int32Array
  /** An independent stream; depends on the names from the root down, not on what was drawn before. */
  fork(name: string | number): Random
}

/** A stream for a seed: xoshiro128** (Blackman and Vigna 2018), its state hashed from the text of the seed. */
export function randomFrom(seed: string | number): Random {
  const path = String(seed)
  const next = xoshiro128(hash(path))
  let spare = Number.NaN

  const random: Random = {
    uniform: () => next() / 2 ** 32,
    between: (low, high) => low + (high - low) * random.uniform(),
    integer: (n) => Math.floor(random.uniform() * n),
    normal() {
      if (!Number.isNaN(spare)) {
        const value = spare
        spare = Number.NaN
        return value
      }
      // Marsaglia's polar method: of the functions that engines may round differently it needs only the logarithm.
      for (;;) {
        const x = random.between(-1, 1)
        const y = random.between(-1, 1)
        const s = x * x + y * y
        if (s === 0 || s >= 1) continue
        const radius = Math.sqrt((-2 * Math.log(s)) / s)
        spare = y * radius
        return x * radius
      }
    },
    exponential: () => -Math.log(1 - random.uniform()),
    chance: (p) => random.uniform() < p,
    pick: (choices) => choices[random.integer(choices.length)],
    weighted(weights) {
      let total = 0
      for (let i = 0; i < weights.length; i++) total += weights[i]
      let rest = random.uniform() * total
      for (let i = 0; i < weights.length - 1; i++) {
        rest -= weights[i]
        if (rest < 0) return i
      }
      return weights.length - 1
    },
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i)
      for (let i = n - 1; i > 0; i--) {
        const j = random.integer(i + 1)
        const moved = order[i]
        order[i] = order[j]
        order[j] = moved
      }
      return order
    },
    fork: (name) => randomFrom(`${path}/${name}`),
  }
  return random
}

/** Four 32-bit words from a text: FNV-1a per word, each from its own start, then the MurmurHash3 finaliser. */
function hash(text: string): Uint32Array {
  const words = Uint32Array.of(0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35)
  for (let w = 0; w < 4; w++) {
    let h = words[w]
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    words[w] = h ^ (h >>> 16)
  }
  // The generator must not start from all zeros.
  if (words.every((word) => word === 0)) words[0] = 1
  return words
}

function xoshiro128(state: Uint32Array): () => number {
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k))
  let [a, b, c, d] = state
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotate(d, 11)
    return result
  }
}
