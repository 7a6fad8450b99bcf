/** Decodes and resizes all pictures once: finds broken ones and caches as many as fit. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../../base/files.js'
import { prefetch } from '../../base/prefetch.js'
import { printOfPictures, sampleStep } from '../fingerprint/pictures.js'
import { shareArray } from '../tables/sharedMemory.js'
import { hashSize, PictureStore, type Place } from './cache.js'
import type { DecodeOptions } from './decode.js'
import { type PictureInput, pictureBytes, pictureIn, pictureName, pictureStamp, unreadableKind } from './files.js'
import { Pictures, type PreparedPictures } from './pictures.js'
import { type Rejected, refuseBroken } from './rejected.js'
import { readExactly } from './segments.js'
import type { PictureOrigin, StreamedPictures } from './stream.js'
import { isUri } from './uri.js'

export interface PictureSource {
  count: number
  /** The option of the table. */
  of: string
  /** Changes whenever a picture changes. */
  fingerprint: string
  /** Folder that paths are relative to. */
  folder: string
  /** Table and column, for errors. */
  where: string
  /** The pictures in order, in pieces; null for none. */
  read(): AsyncIterable<(PictureInput | null)[]>
  /** The texts that name every `step`-th picture. */
  paths(step: number): Promise<(string | null)[]>
  /** Locations to read pictures from later. */
  origin(): Promise<PictureOrigin>
  /** Writes the broken ones to a Parquet file; without any it deletes the file. */
  list(rejected: readonly Rejected[], file: string): Promise<void>
}

export interface PictureOptions extends DecodeOptions {
  /** Folder of the cache. */
  cache: string
  /** Size limit in gigabytes; pictures that do not fit are decoded each time they are needed. */
  cacheLimit: number
  /** Largest share of broken pictures; above it the run stops. */
  maxBad: number
  /** Whether paths may leave the folder of the table. */
  allowOutside: boolean
  /** Parquet file that lists the broken ones. */
  list?: string
  /** Gets a line if a part of the cache is spoilt and made again. */
  say?: (line: string) => void
}

/** The `data` options of a stage for pictures. */
interface PictureSettings {
  cache: string
  cacheLimit: number
  maxBadImages: number
  maxImagePixels: number
  allowOutside: boolean
}

export function pictureOptions(
  { cache, cacheLimit, maxBadImages, maxImagePixels, allowOutside }: PictureSettings,
  size: number,
  fit: PictureOptions['fit'],
  list?: string,
): PictureOptions {
  return { size, fit, cache, cacheLimit, maxBad: maxBadImages, maxPixels: maxImagePixels, allowOutside, list }
}

/** Most bytes of pictures kept in memory. */
const memoryLimit = 2 ** 30

/** Most bytes of pictures decoded at a time. */
const decodedLimit = 2 ** 28

/** To be raised when the stored data changes its meaning. */
const cacheVersion = 4

/** A list has `hashSize` bytes per picture: its hash, or zeros for a missing or broken one. */
const noHash = Buffer.alloc(hashSize)
const isMissing = (hash: Buffer) => hash.equals(noHash)

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24)

/**
 * Decodes and resizes all pictures of `source`, each distinct one once, or finds them in the cache. If `progress` throws,
 * it stops and keeps the pictures decoded so far. It lists broken ones in the file `list` before it refuses them.
 * @throws UserError `pictures-bad` or `picture-urls` where more than the share `maxBad` of them is broken.
 */
export async function preparePictures(
  source: PictureSource,
  options: PictureOptions,
  progress: (done: number) => void = () => {},
): Promise<Pictures> {
  const { size, fit, cache, maxPixels, cacheLimit, allowOutside } = options
  const key = JSON.stringify([cacheVersion, size, fit, maxPixels])
  const folder = join(cache, `pictures-${digest(key)}`)
  const store = new PictureStore(cache, folder, size * size * 3, cacheLimit * 1e9)
  const listFile = join(folder, `list-${digest(JSON.stringify([source.fingerprint, allowOutside]))}`)
  let list = readList(listFile, source.count, options.say)
  const lacks = list?.hashes.filter((hash) => !isMissing(hash) && !store.find(hash)).length
  if (!list || (lacks && store.hasRoom())) {
    try {
      list = await fill(store, source, options, progress)
    } finally {
      store.publish()
    }
    await reject(list, source, options)
    // What cannot be read now may be readable in the next run, with no change that the fingerprint shows.
    if (!list.rejected.some(({ reason }) => reason.startsWith(unreadableKind))) await writeList(listFile, list)
  } else await reject(list, source, options)
  const found = locate(store, list)
  store.touch()
  const isWhole = found.places.every((place) => place !== undefined)
  const place = { folder: source.folder, allowOutside }
  const streamed = isWhole ? undefined : { origin: await source.origin(), place, decoding: { size, fit, maxPixels } }
  return new Pictures(prepared(store, list, found, size, streamed), await printOfList(list, source))
}

async function printOfList({ hashes }: PictureList, source: PictureSource) {
  const paths = await source.paths(sampleStep(source.count))
  const files = paths.map((path) => (pictureIn(null, path) === null || isUri(path!) ? null : path))
  return printOfPictures(source.of, hashes, files)
}

/** Lists the broken pictures; stops if they are too many. */
async function reject({ hashes, rejected }: PictureList, source: PictureSource, options: PictureOptions) {
  const { maxBad, list } = options
  if (list) await source.list(rejected, list)
  const pictures = hashes.reduce((n, hash) => n + (isMissing(hash) ? 0 : 1), rejected.length)
  refuseBroken(rejected, { pictures, where: source.where, list }, maxBad)
}

/** The hashes of the pictures of a source, and the broken ones. */
interface PictureList {
  hashes: Buffer[]
  rejected: Rejected[]
}

/** Decodes the pictures that the store lacks, and stores those that fit. */
async function fill(
  store: PictureStore,
  source: PictureSource,
  options: PictureOptions,
  progress: (done: number) => void,
): Promise<PictureList> {
  const { decodeAll } = await import('./decode.js')
  const place = { folder: source.folder, allowOutside: options.allowOutside }
  const hashes: Buffer[] = []
  const rejected: Rejected[] = []
  const read = async function* () {
    for await (const pictures of source.read()) {
      yield Promise.all(
        pictures.map(async (picture) => {
          const path = pictureName(picture)
          if (picture === null) return { path, bytes: null }
          return { path, bytes: await pictureBytes(picture, place).catch((error: Error) => error) }
        }),
      )
    }
  }
  for await (const piece of prefetch(read(), 1)) {
    const from = hashes.length
    const missing = new Map<string, { hash: Buffer; bytes: Uint8Array }>()
    for (const { bytes } of piece) {
      const hash = bytes instanceof Uint8Array ? hashOf(bytes) : noHash
      hashes.push(hash)
      if (bytes instanceof Uint8Array && !store.find(hash)) missing.set(hash.toString('hex'), { hash, bytes })
    }
    const broken = new Map<string, string>()
    const [waiting, atATime] = [[...missing], Math.max(1, Math.floor(decodedLimit / (options.size ** 2 * 3)))]
    for (let at = 0; at < waiting.length; at += atATime) {
      const part = waiting.slice(at, at + atATime)
      const decoded = await decodeAll(
        part.map(([, { bytes }]) => bytes),
        place,
        options,
      )
      for (const [i, [name, { hash }]] of part.entries()) {
        const result = decoded[i]
        if (result instanceof Uint8Array) store.add(hash, result)
        else if (result) broken.set(name, result.message)
      }
    }
    for (const [i, { path, bytes }] of piece.entries()) {
      const reason = bytes instanceof Error ? bytes.message : broken.get(hashes[from + i].toString('hex'))
      if (reason === undefined) continue
      rejected.push({ index: from + i, path, reason })
      hashes[from + i] = noHash
    }
    progress(hashes.length)
  }
  return { hashes, rejected }
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest().subarray(0, hashSize)

/** Writes the list when all its pictures are decoded: a count, the hashes, and the broken pictures as JSON. */
async function writeList(path: string, { hashes, rejected }: PictureList): Promise<void> {
  const count = Buffer.alloc(8)
  count.writeDoubleLE(hashes.length)
  const content = Buffer.concat([count, ...hashes, Buffer.from(JSON.stringify(rejected))])
  await replaceFile(path, (temporary) => writeFileSync(temporary, content))
}

/** The list of `count` pictures in a file; undefined if there is none, or if it is spoilt, which `say` gets in words. */
function readList(path: string, count: number, say: PictureOptions['say']): PictureList | undefined {
  if (!existsSync(path)) return undefined
  const list = statSync(path).isFile() ? listIn(readFileSync(path), count) : undefined
  if (!list) say?.(`${path} is spoilt: all pictures are read again`)
  return list
}

function listIn(content: Buffer, count: number): PictureList | undefined {
  const end = 8 + count * hashSize
  if (content.length < end || content.readDoubleLE() !== count) return undefined
  const hashes = Array.from({ length: count }, (_, i) => content.subarray(8 + i * hashSize, 8 + (i + 1) * hashSize))
  try {
    const rejected = listed.parse(JSON.parse(content.toString('utf8', end)))
    // A broken picture has no hash, and no picture is broken twice.
    const isKnown = rejected.every(({ index }) => index < count && isMissing(hashes[index]))
    return isKnown && new Set(rejected.map(({ index }) => index)).size === rejected.length
      ? { hashes, rejected }
      : undefined
  } catch {
    return undefined
  }
}

const listed: z.ZodType<Rejected[]> = z.array(
  z.object({ index: z.int().nonnegative(), path: z.string().nullable(), reason: z.string() }),
)

/** The distinct pictures of a list: the number of each item's picture, −1 for none, and the location of each picture. */
function locate(store: PictureStore, { hashes }: PictureList) {
  const distinct = new Int32Array(hashes.length).fill(-1)
  const numbers = new Map<string, number>()
  const places: (Place | undefined)[] = []
  for (const [i, hash] of hashes.entries()) {
    if (isMissing(hash)) continue
    const name = hash.toString('latin1')
    const number = numbers.get(name) ?? places.push(store.find(hash)) - 1
    numbers.set(name, number)
    distinct[i] = number
  }
  return { distinct, places }
}

function prepared(
  { segments }: PictureStore,
  { rejected }: PictureList,
  { distinct, places }: ReturnType<typeof locate>,
  size: number,
  streamed: StreamedPictures | undefined,
): PreparedPictures {
  const paths = segments.map((path) => resolve(path))
  return {
    size,
    present: shareArray(Uint8Array.from(distinct, (number) => (number < 0 ? 0 : 1))),
    distinct: shareArray(distinct),
    rejected,
    segments: paths,
    segment: shareArray(Int32Array.from(places, (place) => place?.segment ?? -1)),
    slot: shareArray(Int32Array.from(places, (place) => place?.slot ?? -1)),
    bytes: streamed ? undefined : readShared(paths, places as Place[], size * size * 3),
    streamed,
  }
}

/** Pictures one after the other in shared memory, if they are not too many for it. */
function readShared(segments: readonly string[], places: readonly Place[], pictureSize: number) {
  if (places.length * pictureSize > memoryLimit) return undefined
  const bytes = new Uint8Array(new SharedArrayBuffer(places.length * pictureSize))
  const files = new Map<number, number>()
  try {
    for (let from = 0, to = 0; from < places.length; from = to) {
      const { segment, slot } = places[from]
      // Neighboring pictures are read together.
      for (to = from + 1; places[to]?.segment === segment && places[to].slot === slot + to - from; ) to++
      const file = files.get(segment) ?? openSync(segments[segment], 'r')
      files.set(segment, file)
      readExactly(file, bytes.subarray(from * pictureSize, to * pictureSize), slot * pictureSize, segments[segment])
    }
    return bytes
  } finally {
    for (const file of files.values()) closeSync(file)
  }
}

/** For a fingerprint: hashes of the pictures that a table contains, null for others, and their paths. */
export interface PictureStamps {
  hash?: readonly (string | null)[]
  path: readonly (string | null)[]
}

/** Changes with the pictures: of files it has path, size and times. */
export async function fingerprintOf(folder: string, pieces: AsyncIterable<PictureStamps> | Iterable<PictureStamps>) {
  const hash = createHash('sha256').update(folder)
  for await (const { hash: hashes, path: paths } of pieces) {
    for (const [i, path] of paths.entries()) {
      const isPath = pictureIn(null, path) !== null
      hash.update(`\n${hashes?.[i] ?? (isPath ? pictureStamp(path!, folder) : '')}`)
    }
  }
  return hash.digest('hex')
}
