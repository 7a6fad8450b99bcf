/** Another look at the same item: a crop of its picture, mirrored and tinted; its title with some words left out. */
import type { Random } from '../../base/random.js'

export interface Augmentation {
  /** Smallest share of the area that a crop keeps; 1: no crop. */
  crop: number
  /** Whether half of the pictures are mirrored. */
  mirror: boolean
  /** Largest change of each channel's brightness, as a share; 0: none. */
  tint: number
  /** Share of a title's words that are left out. */
  dropWords: number
}

export const changesPictures = ({ crop, mirror, tint }: Augmentation) => crop < 1 || mirror || tint > 0

/**
 * A random crop of a square picture, resized back to [size, size, 3] with bilinear interpolation, mirrored half of
 * the time, each channel scaled a little.
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
  for (let y = 0, at = 0; y < size; y++) {
    const { first: y0, next: y1, share: fy } = rows[y]
    for (let x = 0; x < size; x++) {
      const { first: x0, next: x1, share: fx } = columns[x]
      const [a, b, c, d] = [(y0 * size + x0) * 3, (y0 * size + x1) * 3, (y1 * size + x0) * 3, (y1 * size + x1) * 3]
      for (let channel = 0; channel < 3; channel++, at++) {
        const upper = picture[a + channel] + (picture[b + channel] - picture[a + channel]) * fx
        const lower = picture[c + channel] + (picture[d + channel] - picture[c + channel]) * fx
        out[at] = (upper + (lower - upper) * fy) * gain[channel]
      }
    }
  }
  return out
}

/** For each place of a line the two pixels it lies between, and how far from the first. */
function samples(size: number, from: number, length: number, mirrored: boolean) {
  return Array.from({ length: size }, (_, i) => {
    const place = mirrored ? size - 1 - i : i
    const at = Math.min(Math.max(from + ((place + 0.5) * length) / size - 0.5, 0), size - 1)
    const first = Math.floor(at)
    return { first, next: Math.min(first + 1, size - 1), share: at - first }
  })
}

/** The title without some of its words; one stays at least. */
export function augmentTitle(title: string, { dropWords }: Augmentation, random: Random): string {
  const words = title.split(/\s+/)
  const kept = words.filter(() => !random.chance(dropWords))
  return kept.length > 0 ? kept.join(' ') : random.pick(words)
}
