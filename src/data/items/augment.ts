/** Augmented views of an item: its picture cropped, mirrored and tinted; its title with some words dropped. */
import type { Random } from '../../base/random.js'

export interface Augmentation {
  /** Smallest share of the area that a crop keeps; 1 disables cropping. */
  crop: number
  /** Whether half of the pictures are mirrored. */
  mirror: boolean
  /** Largest relative change of each channel's brightness; 0 disables it. */
  tint: number
  /** Probability that a word of a title is dropped. */
  dropWords: number
}

export const changesPictures = ({ crop, mirror, tint }: Augmentation) => crop < 1 || mirror || tint > 0

/**
 * A random crop of a square picture, resized to [size, size, 3] with bilinear interpolation, mirrored with probability
 * ½, each channel scaled randomly.
 */
export function augmentPicture(
  picture: Uint8Array,
  size: number,
  { crop, mirror, tint }: Augmentation,
  random: Random,
): Uint8ClampedArray {
  const side = size * Math.sqrt(random.between(crop, 1))
  const left = random.between(0, size - side)
  const top = random.between(0, size - side)
  const columns = samples(size, left, side, mirror && random.chance(0.5))
  const rows = samples(size, top, side, false)
  const gain = [0, 1, 2].map(() => 1 + random.between(-tint, tint))
  const out = new Uint8ClampedArray(size * size * 3)
  for (let y = 0, i = 0; y < size; y++) {
    const { first: y0, next: y1, share: fy } = rows[y]
    for (let x = 0; x < size; x++) {
      const { first: x0, next: x1, share: fx } = columns[x]
      const [a, b, c, d] = [(y0 * size + x0) * 3, (y0 * size + x1) * 3, (y1 * size + x0) * 3, (y1 * size + x1) * 3]
      for (let channel = 0; channel < 3; channel++, i++) {
        const upper = picture[a + channel] + (picture[b + channel] - picture[a + channel]) * fx
        const lower = picture[c + channel] + (picture[d + channel] - picture[c + channel]) * fx
        out[i] = (upper + (lower - upper) * fy) * gain[channel]
      }
    }
  }
  return out
}

/** For each output pixel of a line the two input pixels next to it and the weight of the second. */
function samples(size: number, from: number, length: number, mirrored: boolean) {
  return Array.from({ length: size }, (_, i) => {
    const output = mirrored ? size - 1 - i : i
    const input = Math.min(Math.max(from + ((output + 0.5) * length) / size - 0.5, 0), size - 1)
    const first = Math.floor(input)
    return { first, next: Math.min(first + 1, size - 1), share: input - first }
  })
}

/** The title without some of its words; it keeps at least one. */
export function augmentTitle(title: string, { dropWords }: Augmentation, random: Random): string {
  const words = title.split(/\s+/)
  const kept = words.filter(() => !random.chance(dropWords))
  return kept.length > 0 ? kept.join(' ') : random.pick(words)
}
