/**
 * Decodes small JPEGs in the calling thread with libjpeg as WebAssembly. The pixels are those of libvips, whose set-up
 * takes longer than decoding such a picture.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import decode, { init } from '@jsquash/jpeg/decode.js'

/** Bytes [height, width, channels]. */
export interface Decoded {
  data: Uint8Array
  width: number
  height: number
}

/** The `ImageData` of browsers, which the decoder returns. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

const path = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')
/** Resolves when the decoder is ready; undefined before the first picture and after a failure. */
let opened: Promise<void> | undefined

/** The RGBA pixels of a JPEG; undefined for a broken one, for which another decoder may give the reason. */
export async function decodeSmallJpeg(bytes: Uint8Array): Promise<Decoded | undefined> {
  opened ??= open()
  await opened
  try {
    const { data, width, height } = await decode(bytes as never)
    return { data: new Uint8Array(data.buffer), width, height }
  } catch {
    // A failure leaks memory of the decoder: the next picture gets a new one.
    opened = undefined
    return undefined
  }
}

function open(): Promise<void> {
  if (!('ImageData' in globalThis)) Object.assign(globalThis, { ImageData: PlainImageData })
  return init({ wasmBinary: readFileSync(path), printErr: () => {} } as Parameters<typeof init>[0])
}

/** Markers C0 to CF start a frame, except C4 and CC (tables) and C8 (reserved). */
const isFrame = (mark: number) => mark >= 0xc0 && mark <= 0xcf && mark !== 0xc4 && mark !== 0xc8 && mark !== 0xcc

const [exifMark, profileMark] = [0xe1, 0xe2]

export interface JpegHeader {
  width: number
  height: number
  /** Whether it is gray or YCbCr, without a color profile, and complete. */
  isPlain: boolean
  /** Set if it is CMYK without a color profile. */
  isInk?: true
}

/**
 * Parses the header of a JPEG; undefined for other files, for files cut off before the frame, and for files with EXIF
 * data, which may rotate the picture. This saves a call of the decoder: a tenth of the time for a thumbnail.
 */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  let hasProfile = false
  for (let start = 2; start + 10 <= bytes.length; ) {
    const mark = bytes[start + 1]
    if (bytes[start] !== 0xff || mark === exifMark) return undefined
    hasProfile ||= mark === profileMark
    if (isFrame(mark)) {
      const [height, width, components] = [uint16(bytes, start + 5), uint16(bytes, start + 7), bytes[start + 9]]
      const isWhole = uint16(bytes, bytes.length - 2) === endMark
      const isPlain = isWhole && !hasProfile && (components === 1 || components === 3)
      const ink = components === 4 && !hasProfile ? { isInk: true as const } : {}
      return width > 0 && height > 0 ? { width, height, isPlain, ...ink } : undefined
    }
    start += 2 + uint16(bytes, start + 2)
  }
  return undefined
}

const endMark = 0xffd9

const uint16 = (bytes: Uint8Array, from: number) => bytes[from] * 256 + bytes[from + 1]
