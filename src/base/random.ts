/** Seeded random numbers: the same names give the same numbers on every machine, whatever else is drawn. */

/** A stream of pseudo-random numbers (sfc32, Chris Doty-Humphrey's PractRand). */
export class Random {
  private spare: number | undefined

  private constructor(
    private readonly name: string,
    private a: number,
    private b: number,
    private c: number,
    private counter: number,
  ) {}

  /** The stream of these names, e.g. `Random.of(seed, 'epoch', 3)`. */
  static of(...names: (string | number)[]): Random {
    const name = names.join('/')
    const [a, b, c] = [1, 2, 3].map((salt) => hash(`${salt}/${name}`))
    const random = new Random(name, a, b, c, 1)
    for (let i = 0; i < 12; i++) random.bits()
    return random
  }

  /** The stream of the same names and one more; independent of the numbers drawn from this one. */
  fork(name: string | number): Random {
    return Random.of(this.name, name)
  }

  /** 32 random bits. */
  bits(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + t
    this.c |= 0
    return t >>> 0
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.bits() / 2 ** 32
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** A uniform integer in [0, below). */
  int(below: number): number {
    return Math.floor(this.uniform() * below)
  }

  /** One of the choices, uniformly. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.int(choices.length)]
  }

  /** An index with probability proportional to its non-negative weight. */
  weighted(weights: readonly number[]): number {
    let rest = this.uniform() * weights.reduce((sum, weight) => sum + weight, 0)
    const index = weights.findIndex((weight) => {
      rest -= weight
      return rest < 0
    })
    // Rounding can leave a remainder after the last weight.
    return index < 0 ? weights.length - 1 : index
  }

  /** Exponential with mean 1. */
  exponential(): number {
    return -Math.log(1 - this.uniform())
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare
      this.spare = undefined
      return value
    }
    let [u, v, s] = [0, 0, 0]
    do {
      u = this.between(-1, 1)
      v = this.between(-1, 1)
      s = u * u + v * v
    } while (s >= 1 || s === 0)
    const scale = Math.sqrt((-2 * Math.log(s)) / s)
    this.spare = v * scale
    return u * scale
  }

  /** Shuffles `array` in place (Fisher-Yates). */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const value = array[i]
      array[i] = array[j]
      array[j] = value
    }
    return array
  }
}

/** A 32-bit hash of a text (FNV-1a with a final mix). */
export function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
