/** A seeded stream of random numbers: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform integer in [0, 2^32). */
  uint32(): number
  /** Uniform number in [0, 1), with 32 random bits. */
  uniform(): number
  /** Uniform integer in [0, n), n ≤ 2^32; no value is favoured by more than n / 2^32. */
  below(n: number): number
}

/**
 * sfc32, the small fast counting generator of PractRand (Doty-Humphrey), seeded as there: 128 bits of
 * state of which 32 count, so that no cycle is shorter than 2^32. Not for secrets.
 *
 * `seed` is any integer; its low 53 bits are used.
 */
export function random(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new Error(`seed ${seed}; expected an integer`)
  let a = 0
  let b = seed | 0
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1

  function uint32(): number {
    const out = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + out) | 0
    return out >>> 0
  }

  const uniform = () => uint32() / 2 ** 32
  // Near seeds start near one another; these rounds part them.
  for (let round = 0; round < 12; round++) uint32()
  return { uint32, uniform, below: (n) => Math.floor(uniform() * n) }
}
