/** Random damage to files, determined by a seed. */
import { Random } from '../../../src/base/random.js'

/** Numbers that programs get wrong, as bytes of 4. */
const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe]
/** The same in texts. */
const words = [
  '-1',
  '0',
  '1e999',
  '4294967296',
  '9007199254740993',
  'null',
  '"x"',
  '[]',
  '{}',
  'true',
  '"__proto__"',
  '',
]

/** The bytes with some damage that `seed` determines. */
export function damaged(bytes: Buffer, seed: string): Buffer {
  const random = Random.of(`damage ${seed}`)
  const below = (n: number) => random.int(n)
  const at = () => below(bytes.length)
  const copy = Buffer.from(bytes)
  const isText = /^[\s\S]?[{[#\w]/.test(bytes.toString('latin1', 0, 2)) && !bytes.includes(0)
  const kinds: (() => Buffer)[] = [
    () => {
      for (let n = 1 + below(8); n > 0; n--) copy[at()] ^= 1 << below(8)
      return copy
    },
    () => copy.subarray(0, at()),
    () => Buffer.concat([copy.subarray(0, at()), copy.subarray(at())]),
    () => copy.fill(below(2) * 255, at(), at() + 1 + below(64)),
    () => {
      if (copy.length >= 4) copy.writeUInt32LE(extremes[below(extremes.length)], below(copy.length - 3))
      return copy
    },
    () => {
      // Headers and footers are where sizes are.
      const near =
        below(2) === 0 ? below(Math.min(64, copy.length)) : copy.length - 1 - below(Math.min(256, copy.length))
      copy[near] = below(256)
      return copy
    },
    () => {
      for (let n = 1 + below(32); n > 0; n--) copy[at()] = below(256)
      return copy
    },
  ]
  if (isText) {
    kinds.push(() => {
      const parts = copy.toString().split(/(-?\d[\d.e+-]*|"[^"]*"|\w+)/)
      const place = below(Math.max(1, (parts.length - 1) / 2)) * 2 + 1
      if (place < parts.length) parts[place] = words[below(words.length)]
      return Buffer.from(parts.join(''))
    })
  }
  // Half of the damage to texts is to their values: most of the rest ends in the parser.
  return isText && below(2) === 0 ? kinds.at(-1)!() : kinds[below(kinds.length)]()
}
