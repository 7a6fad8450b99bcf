/** From encoded pictures to pixels. */
import { isAbsolute, relative, resolve, sep } from 'node:path'
import sharp from 'sharp'
import { messageOf } from '../errors.js'

/** An encoded picture, or its path below the table's folder. */
export type PictureInput = Uint8Array | string

export interface DecodeOptions {
  /** Pixels along a side. */
  size: number
  /** `cover`: the shorter side fits, the middle is kept (CLIP); `fill`: stretched (SigLIP). */
  fit: 'cover' | 'fill'
  /** Pixels of a source picture beyond which it counts as broken. */
  maxPixels: number
}

/** Mean and deviation of each channel, on the scale 0 to 1. */
export interface Normalisation {
  mean: readonly number[]
  std: readonly number[]
}

/** Decodes pictures together; sharp works off the main thread on all cores. An Error stands for a broken one. */
export async function decodeAll(
  pictures: readonly (PictureInput | null)[],
  folder: string,
  options: DecodeOptions,
): Promise<(Uint8Array | Error | null)[]> {
  return Promise.all(
    pictures.map(async (picture) => {
      if (picture === null) return null
      try {
        return await decode(typeof picture === 'string' ? pathBelow(folder, picture) : picture, options)
      } catch (error) {
        return new Error(messageOf(error).split('\n')[0])
      }
    }),
  )
}

/** RGB bytes [size, size, 3]: turned upright, transparency on white, resized with antialiased bicubic. */
async function decode(picture: PictureInput, { size, fit, maxPixels }: DecodeOptions): Promise<Uint8Array> {
  const image = sharp(picture, { limitInputPixels: maxPixels, failOn: 'error' })
  const { autoOrient } = await image.metadata()
  const { width, height } = fit === 'fill' ? { width: size, height: size } : covering(autoOrient, size)
  const { data, info } = await image
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .extract({ left: (width - size) >> 1, top: (height - size) >> 1, width: size, height: size })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return info.channels === 3 ? data : greyToRgb(data, info.channels)
}

/** Size at which the shorter side is `size`, rounded as Hugging Face's image processors do. */
function covering({ width, height }: { width: number; height: number }, size: number) {
  const long = (of: number, short: number) => Math.floor((size * of) / short)
  return width < height ? { width: size, height: long(height, width) } : { width: long(width, height), height: size }
}

function greyToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels
  const out = new Uint8Array(pixels * 3)
  for (let i = 0; i < pixels; i++) out.fill(data[i * channels], 3 * i, 3 * i + 3)
  return out
}

/**
 * The full path, which must not leave `folder`: a table must not make us read other files.
 * @throws Error for one that does.
 */
export function pathBelow(folder: string, path: string): string {
  const full = resolve(folder, path)
  const inside = relative(resolve(folder), full)
  if (isAbsolute(path) || inside.split(sep)[0] === '..')
    throw new Error(`path '${path}' leads outside the table's folder`)
  return full
}

/** Writes bytes [size, size, 3] to `out` from `at` on as [3, size, size], each value (x/255 − mean) / std. */
export function writeNormalised(
  pixels: ArrayLike<number>,
  { mean, std }: Normalisation,
  out: Float32Array,
  at: number,
): void {
  const plane = pixels.length / 3
  for (let c = 0; c < 3; c++) {
    const scale = 1 / (255 * std[c])
    const shift = -mean[c] / std[c]
    const to = at + c * plane
    for (let i = 0; i < plane; i++) out[to + i] = pixels[3 * i + c] * scale + shift
  }
}
