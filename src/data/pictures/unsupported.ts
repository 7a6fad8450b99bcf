/** Why files that no decoder here reads are no usable pictures, by their first bytes. */

/** Other formats by the beginning of their files, as latin1. */
const formats: [start: string, name: string][] = [
  ['\0\0\x01\0', 'ICO'],
  ['\xff\x0a', 'JPEG XL'],
  ['\0\0\0\x0cJXL ', 'JPEG XL'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
  ['\0\0\0\x0cjP  ', 'JPEG 2000'],
  ['8BPS', 'PSD'],
  ['%PDF-', 'PDF'],
  ['\x1f\x8b', 'gzip (SVGZ)'],
  ['%!PS', 'PostScript'],
]

/** Magic numbers of the formats that are decoded: such a file is corrupt, not another thing. */
const decoded = ['\xff\xd8', '\x89PNG', 'GIF8', 'RIFF', 'II*\0', 'MM\0*', 'II+\0', 'MM\0+']

/** Whether the file begins as one of a format that is decoded. */
export function isRaster(bytes: Uint8Array): boolean {
  const start = startOf(bytes, 16)
  return decoded.some((magic) => start.startsWith(magic)) || isMedia(start)
}

const startOf = (bytes: Uint8Array, length: number) => Buffer.from(bytes.subarray(0, length)).toString('latin1')

/** The kind of failure and a remedy; undefined where the file begins as a picture should. */
export function unsupported(bytes: Uint8Array): string | undefined {
  // Comments and the document type before the beginning of SVG may be long.
  const start = startOf(bytes, 1024)
  const format = formatOf(start)
  if (format) return `unsupported: ${format}; convert it to JPEG, PNG or WebP`
  if (isRaster(bytes)) return undefined
  if (bytes.every((byte) => byte === 0)) return 'no picture: the file has zeros only'
  if (/^\s*(<!doctype html|<html)/i.test(start)) return 'no picture: a web page, e.g. the error of a download'
  if (isPath.test(start)) return `no picture: the bytes are a text, ${JSON.stringify(start)}; write paths as strings`
  return `no picture: the file starts with ${JSON.stringify(start.slice(0, 16))}`
}

function formatOf(start: string): string | undefined {
  // The names of the formats of an HEIF file follow; AVIF files may have HEIC's names too.
  if (isMedia(start) && !start.startsWith('avi', 8) && /hei[cxms]|hev[cx]/.test(start.slice(8, 64))) return 'HEIC'
  if (start.startsWith('BM') && start.startsWith('\0\0\0\0', 6)) return 'BMP'
  if (/<svg|^(\xef\xbb\xbf)?\s*<\?xml/i.test(start) && !/^\x89|^\xff|<!doctype html|<html/i.test(start)) return 'SVG'
  return formats.find(([magic]) => start.trimStart().startsWith(magic))?.[1]
}

/** Whether it is an ISO media file, as AVIF and HEIC are. */
const isMedia = (start: string) => start.startsWith('ftyp', 4)

/** A column of texts that a writer did not mark as such. */
const isPath = /^[ -~]{1,255}\.(jpe?g|png|webp|gif|tiff?|avif)$/i

/** Whether the end of a JPEG, PNG, GIF or WebP file is missing. */
export function isCutOff(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = file.toString('latin1', 0, 4)
  if (start === 'RIFF') return file.length >= 8 && file.readUInt32LE(4) + 8 > file.length
  if (start === '\x89PNG') return !file.includes('IEND')
  let end = file.length
  while (end > 0 && file[end - 1] === 0) end--
  if (start.startsWith('\xff\xd8')) return file.toString('latin1', end - 2, end) !== '\xff\xd9'
  return start === 'GIF8' && file[end - 1] !== 0x3b
}
