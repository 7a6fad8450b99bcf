/** Marks that start a frame lie from C0 to CF, among those of tables (C4, CC) and one that is reserved (C8). */
const isFrame = (mark: number) => mark >= 0xc0 && mark <= 0xcf && mark !== 0xc4 && mark !== 0xc8 && mark !== 0xcc

const [exifMark, profileMark] = [0xe1, 0xe2]

export interface JpegHeader {
  width: number
  height: number
  /** Nothing but pixels as they are to be seen: grey or YCbCr, of no colour profile, and not cut off. */
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
