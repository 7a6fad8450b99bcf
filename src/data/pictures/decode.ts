/** Decodes and resizes pictures. */
import type { Sharp } from 'sharp'
import { messageOf } from '../../base/errors.js'

import { type PictureInput, type PicturePlace, pictureBytes } from './files.js'
import { type Decoded, decodeSmallJpeg, type JpegHeader, jpegHeader } from './jpeg.js'
import { metadataOf, openPicture } from './libvips.js'
import { type Kernel, pixelWords, resample, type Window } from './resample.js'
import { isCutOff, unsupported } from './unsupported.js'

/**
 * How a picture becomes square. `cover`: resize the shorter side, then crop the center (CLIP); `fill`: stretch (SigLIP);
 * both bicubic. The long form sets the size to resize to before the center crop, and the filter.
 */
export type Fit = FitMode | { mode: FitMode; shortest: number; kernel: Kernel }
type FitMode = 'cover' | 'fill'

export interface DecodeOptions {
  /** Pixels per side. */
  size: number
  fit: Fit
  /** A source picture with more pixels counts as broken. */
  maxPixels: number
}

interface Size {
  width: number
  height: number
}

/** Decodes pictures in parallel, outside the main thread. Returns an Error with the reason for a broken one. */
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

/** Accepted formats by libvips' names. */
const formats = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff'])

/**
 * RGB bytes [size, size, 3] of an encoded picture, resized with antialiasing. It is rotated upright by its EXIF data;
 * transparency becomes white, CMYK and gray become RGB; of an animation the first frame is taken.
 * @throws Error with the reason for a broken one; `maxPixels` is checked before decoding.
 */
export async function decode(bytes: Uint8Array, { size, fit, maxPixels }: DecodeOptions): Promise<Uint8Array> {
  try {
    const header = jpegHeader(bytes)
    const small = isSmall(header, maxPixels) ? await decodeSmallJpeg(bytes) : undefined
    if (small) return resampled(small, windowOf(small, size, fit))
    const image = openPicture(bytes, maxPixels)
    const upright = header ?? (await sizeOf(image))
    if (Math.min(upright.width, upright.height) === 1) throw new Error(`blank: ${blankSize(upright)}`)
    const window = windowOf(upright, size, fit)
    if (upright.isInk) return resampled(await decodeInk(image), window)
    // A picture with a plain header is upright and opaque.
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

const blankSize = ({ width, height }: Size) => (width === height ? 'a single pixel' : `${width} × ${height} pixels`)

const isSmall = (header: JpegHeader | undefined, maxPixels: number) => {
  if (!header?.isPlain || Math.min(header.width, header.height) === 1) return false
  return header.width * header.height <= Math.min(smallPixels, maxPixels)
}

/** Size to resize to, the center crop of it, and the filter. */
function windowOf(upright: Size, size: number, fit: Fit): Window & { kernel: Kernel } {
  const { mode, shortest, kernel } =
    typeof fit === 'object' ? fit : ({ mode: fit, shortest: size, kernel: 'cubic' } as const)
  const whole = mode === 'fill' ? { width: shortest, height: shortest } : covering(upright, shortest)
  return { ...middle(whole, size), kernel }
}

function resampled({ data, width, height }: Decoded, window: Window & { kernel: Kernel }): Uint8Array {
  return resample(pixelWords(data, width * height), width, height, window, window.kernel)
}

const depths = new Set(['uchar', 'ushort'])

/** Width and height of the upright picture; whether it is CMYK without a profile. */
async function sizeOf(image: Sharp): Promise<Size & { isInk: boolean }> {
  const { autoOrient, format, space, depth, hasProfile } = await metadataOf(image)
  if (!formats.has(format)) throw new Error('unsupported image format')
  // Their scale is unknown: white may be 1, 255 or anything.
  if (!depths.has(depth)) throw new Error(`unsupported: samples of type ${depth}; convert it to 8 or 16 bits`)
  return { ...autoOrient, isInk: space === 'cmyk' && depth === 'uchar' && !hasProfile }
}

/**
 * The pixels of CMYK without a color profile, each color as its light times the light of black, as browsers and Pillow
 * compute it. libvips would take it for the inks of a printing press, which are darker.
 */
async function decodeInk(image: Sharp): Promise<Decoded> {
  const inks = image.autoOrient().pipelineColourspace('cmyk').toColourspace('cmyk').raw()
  const { data, info } = await inks.toBuffer({ resolveWithObject: true })
  const out = new Uint8Array(info.width * info.height * 3)
  for (let from = 0, to = 0; to < out.length; from += 4, to += 3) {
    const light = 255 - data[from + 3]
    for (let c = 0; c < 3; c++) out[to + c] = Math.round(((255 - data[from + c]) * light) / 255)
  }
  return { data: out, width: info.width, height: info.height }
}

/** Why a picture is broken: the kind of failure, which reports count, then a colon and details. */
function reasonOf(message: string, bytes: Uint8Array, maxPixels: number): string {
  if (/^(blank|unsupported|too large): /.test(message)) return message
  if (/exceeds pixel limit/.test(message)) return `too large: more than ${maxPixels} pixels`
  // libvips' own message may be about a picture that another thread decodes.
  return unsupported(bytes) ?? (isCutOff(bytes) ? 'corrupt: the file is cut off' : 'corrupt: it cannot be decoded')
}
/**
 * Pictures of up to so many pixels are resized here, and JPEGs decoded, because the set-up of libvips takes longer. Of
 * larger JPEGs libvips decodes only a fraction, which is faster. Enlarging is done here too, because libvips is off by
 * half a pixel.
 */
const smallPixels = 2 ** 14

/** Size with a shorter side of `size`, rounded as in Hugging Face's image processors. */
function covering({ width, height }: Size, size: number): Size {
  const longer = (long: number, short: number) => Math.floor((size * long) / short)
  return width < height
    ? { width: size, height: longer(height, width) }
    : { width: longer(width, height), height: size }
}

/** The square of `size` pixels in the center. */
function middle({ width, height }: Size, size: number): Window {
  return { width, height, left: (width - size) >> 1, top: (height - size) >> 1, size }
}

/** The window of a picture [height, width, 3] that is already resized. */
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
