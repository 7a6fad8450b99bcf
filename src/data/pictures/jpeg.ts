/**
 * Small JPEGs, decoded in the thread that asks by libjpeg as WebAssembly: the same bits as by libvips, which takes
 * longer to set up than such a picture takes.
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

/** What the decoder makes of a picture; browsers have it. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

const path = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')
/** Resolves when the decoder is there; absent where there is none to use. */
let opened: Promise<void> | undefined

/** The RGBA pixels of a JPEG; undefined where it is broken: another decoder may say why. */
export async function decodeSmallJpeg(bytes: Uint8Array): Promise<Decoded | undefined> {
  opened ??= open()
  await opened
  try {
    const { data, width, height } = await decode(bytes as never)
    return { data: new Uint8Array(data.buffer), width, height }
  } catch {
    // What a failure leaves behind is never given back: the next picture gets a decoder of its own.
    opened = undefined
    return undefined
  }
}

function open(): Promise<void> {
  if (!('ImageData' in globalThis)) Object.assign(globalThis, { ImageData: PlainImageData })
  return init({ wasmBinary: readFileSync(path), printErr: () => {} } as Parameters<typeof init>[0])
}

/** Marks that start a frame lie from C0 to CF, among those of tables (C4, CC) and one that is reserved (C8). */
const isFrame = (mark: number) => mark >= 0xc0 && mark <= 0xcf && mark !== 0xc4 && mark !== 0xc8 && mark !== 0xcc

const [exifMark, profileMark] = [0xe1, 0xe2]

export interface JpegHeader {
  width: number
  height: number
  /** Nothing but pixels as they are to be seen: gray or YCbCr, of no color profile, and not cut off. */
  isPlain: boolean
}

/**
 * What a JPEG's header tells; undefined for what is no JPEG, is cut off before its frame, or has EXIF data, which may
 * turn the picture. Spares a decoder the call that asks for it: a tenth of the work on a thumbnail.
 */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  let hasProfile = false
  for (let at = 2; at + 10 <= bytes.length; ) {
    const mark = bytes[at + 1]
    if (bytes[at] !== 0xff || mark === exifMark) return undefined
    hasProfile ||= mark === profileMark
    if (isFrame(mark)) {
      const [height, width, components] = [number(bytes, at + 5), number(bytes, at + 7), bytes[at + 9]]
      const isWhole = number(bytes, bytes.length - 2) === endMark
      const isPlain = isWhole && !hasProfile && (components === 1 || components === 3)
      return width > 0 && height > 0 ? { width, height, isPlain } : undefined
    }
    at += 2 + number(bytes, at + 2)
  }
  return undefined
}

const endMark = 0xffd9

const number = (bytes: Uint8Array, at: number) => bytes[at] * 256 + bytes[at + 1]
