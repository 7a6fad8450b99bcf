/** From encoded pictures to pixels. */
import sharp, { type Sharp } from 'sharp'
import { messageOf } from '../../base/errors.js'

import { type PictureInput, type PicturePlace, pictureBytes } from './files.js'
import { type Decoded, decodeSmallJpeg, type JpegHeader, jpegHeader } from './jpeg.js'
import { type Kernel, pixelWords, resample, type Window } from './resample.js'

// Pictures are decoded side by side, so that one needs no threads of its own; and none comes twice.
sharp.concurrency(1)
sharp.cache(false)

/**
 * How a picture of any shape becomes a square. `cover`: the shorter side fits, the middle is kept (CLIP); `fill`:
 * stretched (SigLIP); both bicubic. The long form resizes to more than the square, whose middle is then kept, or by
 * another filter.
 */
export type Fit = FitMode | { mode: FitMode; shortest: number; kernel: Kernel }
type FitMode = 'cover' | 'fill'

export interface DecodeOptions {
  /** Pixels along a side. */
  size: number
  fit: Fit
  /** Pixels of a source picture beyond which it counts as broken. */
  maxPixels: number
}

interface Size {
  width: number
  height: number
}

/** Decodes pictures together; sharp works off the main thread. An Error stands for a broken one: its message says why. */
export async function decodeAll(
  pictures: readonly (PictureInput | Error | null)[],
  place: PicturePlace,
  options: DecodeOptions,
): Promise<(Uint8Array | Error | null)[]> {
  return Promise.all(
    pictures.map(async (picture) => {
      if (picture === null || picture instanceof Error) return picture
      try {
        return await decode(await pictureBytes(picture, place), options)
      } catch (error) {
        return error instanceof Error ? error : new Error(messageOf(error))
      }
    }),
  )
}

/** Formats by libvips' names; others that it knows, such as SVG, are no pictures of goods and could refer to files. */
const formats = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff'])

/**
 * RGB bytes [size, size, 3] of an encoded picture, whatever its file is called: turned upright, transparency on white,
 * CMYK and gray as RGB, the first frame of an animation; resized with antialiasing.
 * @throws Error with the reason for a broken one; too many pixels are noticed before they are decoded.
 */
export async function decode(bytes: Uint8Array, { size, fit, maxPixels }: DecodeOptions): Promise<Uint8Array> {
  try {
    const header = jpegHeader(bytes)
    const small = isSmall(header, maxPixels) ? await decodeSmallJpeg(bytes) : undefined
    if (small) return resampled(small, windowOf(small, size, fit))
    const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error' })
    const upright = header ?? (await sizeOf(image))
    if (upright.width * upright.height === 1) throw new Error('blank: a single pixel')
    const window = windowOf(upright, size, fit)
    // What the header told of is upright and opaque.
    if (!header) image.autoOrient().flatten({ background: '#ffffff' })
    image.raw()
    const enlarges = window.width > upright.width || window.height > upright.height
    const resizesHere = upright.width * upright.height <= smallPixels || enlarges
    const { kernel } = window
    if (!resizesHere) image.resize(window.width, window.height, { fit: 'fill', kernel, fastShrinkOnLoad: false })
    const { data, info } = await image.toBuffer({ resolveWithObject: true })
    if (resizesHere) return resampled({ data, ...info }, window)
    return cut(info.channels === 3 ? data : grayToRgb(data, info.channels), window)
  } catch (error) {
    throw new Error(reasonOf(messageOf(error), bytes, maxPixels))
  }
}

const isSmall = (header: JpegHeader | undefined, maxPixels: number) => {
  const pixels = header?.isPlain ? header.width * header.height : Infinity
  return pixels > 1 && pixels <= Math.min(smallPixels, maxPixels)
}

/** What of a picture is kept, at which size, and the filter that gets it there. */
function windowOf(upright: Size, size: number, fit: Fit): Window & { kernel: Kernel } {
  const { mode, shortest, kernel } =
    typeof fit === 'object' ? fit : ({ mode: fit, shortest: size, kernel: 'cubic' } as const)
  const whole = mode === 'fill' ? { width: shortest, height: shortest } : covering(upright, shortest)
  return { ...middle(whole, size), kernel }
}

function resampled({ data, width, height }: Decoded, window: Window & { kernel: Kernel }): Uint8Array {
  return resample(pixelWords(data, width * height), width, height, window, window.kernel)
}

/** Width and height as the picture is to be seen. */
async function sizeOf(image: Sharp): Promise<Size> {
  const { autoOrient, format } = await image.metadata()
  if (!formats.has(format)) throw new Error('unsupported image format')
  return autoOrient
}

/** Why a picture is broken, said in words that people count by: the kind first. */
function reasonOf(message: string, bytes: Uint8Array, maxPixels: number): string {
  if (/unsupported image format/.test(message)) {
    const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
    return `no picture: the file starts with ${JSON.stringify(start)}`
  }
  if (/exceeds pixel limit/.test(message)) return `too large: more than ${maxPixels} pixels`
  return message.startsWith('blank') ? message : `corrupt: ${message.split('\n')[0]}`
}

/**
 * JPEGs of up to so many pixels are decoded, and other pictures resized, here: setting libvips up for it takes longer
 * than doing it. Of larger JPEGs libvips decodes a fraction only, which more than makes up for that. What is enlarged is resized
 * here as well, for libvips does that half a pixel off.
 */
const smallPixels = 2 ** 14

/** Size at which the shorter side is `size`, rounded as Hugging Face's image processors do. */
function covering({ width, height }: Size, size: number): Size {
  const long = (of: number, short: number) => Math.floor((size * of) / short)
  return width < height ? { width: size, height: long(height, width) } : { width: long(width, height), height: size }
}

/** The square of `size` pixels in the middle. */
function middle({ width, height }: Size, size: number): Window {
  return { width, height, left: (width - size) >> 1, top: (height - size) >> 1, size }
}

/** The window of a picture [height, width, 3] that has been resized already. */
function cut(pixels: Uint8Array, { width, height, left, top, size }: Window): Uint8Array {
  if (width === size && height === size) return pixels
  const out = new Uint8Array(size * size * 3)
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * width + left) * 3
    out.set(pixels.subarray(from, from + size * 3), y * size * 3)
  }
  return out
}

function grayToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels
  const out = new Uint8Array(pixels * 3)
  for (let i = 0; i < pixels; i++) out.fill(data[i * channels], 3 * i, 3 * i + 3)
  return out
}
