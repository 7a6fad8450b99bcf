/** Fingerprint of the pictures of a table: of all of them when they were read, and of some files before. */
import { createHash } from 'node:crypto'
import { pictureBytesNow } from '../pictures/files.js'
import { hashDigits, type PicturesPrint } from './print.js'

/** Pictures whose hashes are kept by path. */
const sampleSize = 4096

/** Every how many pictures one is in the sample. */
export const sampleStep = (count: number) => Math.max(1, Math.ceil(count / sampleSize))

/** The hash of the bytes of a picture, in a sample. */
const shortHash = (hash: Buffer) => hash.toString('hex').slice(0, hashDigits)

/**
 * @param of the option of the table that names the pictures
 * @param hashes SHA-256 of each picture in order, or its beginning; zeros for none
 * @param paths of every `sampleStep`-th picture; null for pictures that are not files
 */
export function printOfPictures(
  of: string,
  hashes: readonly Buffer[],
  paths: readonly (string | null)[],
): PicturesPrint {
  const all = createHash('sha256')
  for (const hash of hashes) all.update(hash)
  const isPicture = (hash: Buffer) => hash.some((byte) => byte !== 0)
  const step = sampleStep(hashes.length)
  const sample = paths.flatMap((path, i): [string, string][] => {
    const hash = hashes[i * step]
    return path !== null && isPicture(hash) ? [[path, shortHash(hash)]] : []
  })
  return {
    kind: 'pictures',
    of,
    count: hashes.reduce((n, hash) => n + Number(isPicture(hash)), 0),
    hash: all.digest('hex').slice(0, hashDigits),
    sample: Object.fromEntries(sample),
  }
}

/** Bytes of sampled pictures that are compared at most. */
const bytesLimit = 2 ** 30

/** `print` with the present hashes of its sample: what can be known before the table is read. */
export function withSampleNow(print: PicturesPrint, folder: string): PicturesPrint {
  const sample: Record<string, string> = {}
  let bytes = 0
  let isSame = true
  for (const [path, was] of Object.entries(print.sample)) {
    sample[path] = was
    if (bytes > bytesLimit) continue
    try {
      const picture = pictureBytesNow(path, { folder, allowOutside: true })
      bytes += picture.length
      sample[path] = shortHash(createHash('sha256').update(picture).digest())
    } catch {
      sample[path] = ''
    }
    isSame &&= sample[path] === was
  }
  return isSame ? print : { ...print, hash: '', sample }
}
