/** Pictures decoded and resized once, kept as bytes [count, size, size, 3] in a cache file. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { replaceFile, writeJson } from '../files.js'
import { type DecodeOptions, decodeAll, type Normalisation, type PictureInput, writeNormalised } from './decode.js'

export interface PictureSource {
  count: number
  /** Changes whenever a picture changes. */
  fingerprint: string
  /** Folder that paths start from. */
  folder: string
  /** The pictures in order, in pieces; null where there is none. */
  read(): AsyncIterable<(PictureInput | null)[]>
}

export interface PictureOptions extends DecodeOptions {
  /** Folder of the cache. */
  cache: string
  /** Share of the pictures that may be broken before the run stops. */
  maxBad: number
}

export interface Rejected {
  index: number
  reason: string
}

/** Prepared pictures. */
export class Pictures {
  private readonly bytes: Uint8Array | undefined
  private readonly file: number
  private readonly pictureSize: number

  /** `present[i]` is 1 where picture i exists and could be read. */
  constructor(
    path: string,
    readonly size: number,
    readonly present: Uint8Array,
    readonly rejected: Rejected[],
  ) {
    this.pictureSize = size * size * 3
    this.file = openSync(path, 'r')
    // What fits is held in memory; beyond that the system's page cache serves.
    this.bytes = statSync(path).size <= 2 ** 30 ? readFileSync(path) : undefined
  }

  /**
   * Pictures `indices` as [n, 3, size, size], channels first, normalised; a missing picture is all zeros.
   * `change` makes another picture of the same size of each.
   */
  normalised(
    indices: ArrayLike<number>,
    normalisation: Normalisation,
    change?: (picture: Uint8Array) => ArrayLike<number>,
  ): Float32Array {
    const { pictureSize } = this
    const out = new Float32Array(indices.length * pictureSize)
    for (let k = 0; k < indices.length; k++) {
      if (!this.present[indices[k]]) continue
      const picture = this.picture(indices[k])
      writeNormalised(change ? change(picture) : picture, normalisation, out, k * pictureSize)
    }
    return out
  }

  private picture(index: number): Uint8Array {
    const from = index * this.pictureSize
    if (this.bytes) return this.bytes.subarray(from, from + this.pictureSize)
    const one = new Uint8Array(this.pictureSize)
    readSync(this.file, one, 0, this.pictureSize, from)
    return one
  }

  close(): void {
    closeSync(this.file)
  }
}

/** Raised when what is stored changes its meaning. */
const cacheVersion = 1

/**
 * Decodes and resizes all pictures of `source`, or finds them in the cache.
 * @throws UserError `pictures-bad` when more than `maxBad` of them are broken.
 */
export async function preparePictures(
  source: PictureSource,
  options: PictureOptions,
  progress: (done: number) => void = () => {},
): Promise<Pictures> {
  const { size, fit, cache, maxPixels, maxBad } = options
  const key = JSON.stringify([cacheVersion, source.fingerprint, size, fit, maxPixels])
  const name = join(cache, `pictures-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`)
  if (!existsSync(`${name}.json`)) {
    const present = new Uint8Array(source.count)
    const rejected: Rejected[] = []
    await replaceFile(`${name}.bin`, async (temporary) => {
      const file = openSync(temporary, 'w')
      try {
        let index = 0
        for await (const piece of source.read()) {
          const decoded = await decodeAll(piece, source.folder, options)
          for (const [i, result] of decoded.entries()) {
            if (result instanceof Uint8Array) {
              present[index + i] = 1
              writeSync(file, result, 0, result.length, (index + i) * size * size * 3)
            } else if (result) rejected.push({ index: index + i, reason: result.message })
          }
          index += piece.length
          progress(index)
        }
      } finally {
        closeSync(file)
      }
      // Before anything is kept: once they are repaired they must be read again.
      refuseBroken(rejected, source, maxBad)
    })
    await writeJson(`${name}.json`, { present: Buffer.from(present).toString('base64'), rejected })
  }
  const { present, rejected } = JSON.parse(readFileSync(`${name}.json`, 'utf8')) as {
    present: string
    rejected: Rejected[]
  }
  refuseBroken(rejected, source, maxBad)
  return new Pictures(`${name}.bin`, size, new Uint8Array(Buffer.from(present, 'base64')), rejected)
}

/** @throws UserError `pictures-bad` when more than the share `maxBad` of all pictures was rejected. */
export function refuseBroken(rejected: Rejected[], { count, folder }: PictureSource, maxBad: number): void {
  if (rejected.length <= maxBad * count) return
  const [{ index, reason }] = rejected
  throw new UserError({
    id: 'pictures-bad',
    where: folder,
    what: `${rejected.length} of ${count} pictures are broken, first number ${index + 1}: ${reason}`,
    expected: `at most ${100 * maxBad} %`,
    remedy: 'repair them or raise data.maxBadImages',
  })
}

/** A fingerprint of picture files, by their names, sizes and times of change. */
export function fingerprintOfFiles(folder: string, paths: Iterable<string | null>): string {
  const hash = createHash('sha256').update(folder)
  for (const path of paths) {
    const found = path === null ? undefined : statSync(join(folder, path), { throwIfNoEntry: false })
    hash.update(`\n${path} ${found?.size} ${found?.mtimeMs}`)
  }
  return hash.digest('hex')
}
