/** Decodes and resizes all pictures once: finds broken ones and caches as many as fit. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { replaceFile } from '../../base/files.js'
import { prefetch } from '../../base/prefetch.js'
import { shareArray } from '../tables/sharedMemory.js'
import { hashSize, PictureStore, type Place } from './cache.js'
import type { DecodeOptions } from './decode.js'
import { type PictureInput, pictureBytes } from './files.js'
import { Pictures, type PreparedPictures } from './pictures.js'
import { type Rejected, refuseBroken } from './rejected.js'
import type { PictureOrigin, StreamedPictures } from './stream.js'

export interface PictureSource {
  count: number
  /** Changes whenever a picture changes. */
  fingerprint: string
  /** Folder that paths are relative to. */
  folder: string
  /** The pictures in order, in pieces; null for none. */
  read(): AsyncIterable<(PictureInput | null)[]>
  /** Locations to read pictures from later. */
  origin(): Promise<PictureOrigin>
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
): PictureOptions {
  return { size, fit, cache, cacheLimit, maxBad: maxBadImages, maxPixels: maxImagePixels, allowOutside }
}

/** Most bytes of pictures kept in memory. */
const memoryLimit = 2 ** 30

/** To be raised when the stored data changes its meaning. */
const cacheVersion = 3

/** A list has `hashSize` bytes per picture: its hash, or zeros for a missing or broken one. */
const noHash = Buffer.alloc(hashSize)
const isMissing = (hash: Buffer) => hash.equals(noHash)

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24)

/**
 * Decodes and resizes all pictures of `source`, each distinct one once, or finds them in the cache. If `progress` throws,
 * it stops and keeps the pictures decoded so far.
 * @throws UserError `pictures-bad` where more than the share `maxBad` of them is broken.
 */
export async function preparePictures(
  source: PictureSource,
  options: PictureOptions,
  progress: (done: number) => void = () => {},
): Promise<Pictures> {
  const { size, fit, cache, maxPixels, maxBad, cacheLimit, allowOutside } = options
  const key = JSON.stringify([cacheVersion, size, fit, maxPixels])
  const folder = join(cache, `pictures-${digest(key)}`)
  const store = new PictureStore(cache, folder, size * size * 3, cacheLimit * 1e9)
  const listFile = join(folder, `list-${digest(JSON.stringify([source.fingerprint, allowOutside]))}`)
  let list = readList(listFile)
  const lacks = list?.hashes.filter((hash) => !isMissing(hash) && !store.find(hash)).length
  if (!list || (lacks && store.hasRoom())) {
    try {
      list = await fill(store, source, options, progress)
    } finally {
      store.publish()
    }
    refuseBroken(list.rejected, source, maxBad)
    await writeList(listFile, list)
  }
  refuseBroken(list.rejected, source, maxBad)
  const found = locate(store, list)
  store.touch()
  const isWhole = found.places.every((place) => place !== undefined)
  const place = { folder: source.folder, allowOutside }
  const streamed = isWhole ? undefined : { origin: await source.origin(), place, decoding: { size, fit, maxPixels } }
  return new Pictures(prepared(store, list, found, size, streamed))
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
          const path = typeof picture === 'string' ? picture : null
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
    const decoded = await decodeAll(
      Array.from(missing.values(), ({ bytes }) => bytes),
      place,
      options,
    )
    const broken = new Map<string, string>()
    for (const [i, [name, { hash }]] of [...missing].entries()) {
      const result = decoded[i]
      if (result instanceof Uint8Array) store.add(hash, result)
      else if (result) broken.set(name, result.message)
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

function readList(path: string): PictureList | undefined {
  if (!existsSync(path)) return undefined
  const content = readFileSync(path)
  const count = content.readDoubleLE()
  const end = 8 + count * hashSize
  const hashes = Array.from({ length: count }, (_, i) => content.subarray(8 + i * hashSize, 8 + (i + 1) * hashSize))
  return { hashes, rejected: JSON.parse(content.toString('utf8', end)) as Rejected[] }
}

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

function readExactly(file: number, into: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(file, into, done, into.length - done, position + done)
    if (read === 0) throw new Error(`${path} ends after ${position + done} bytes`)
    done += read
  }
}

/** A fingerprint of picture files by path, size and modification time. */
export function fingerprintOfFiles(folder: string, paths: Iterable<string | null>): string {
  const hash = createHash('sha256').update(folder)
  for (const path of paths) {
    const found = path === null ? undefined : statSync(resolve(folder, path), { throwIfNoEntry: false })
    hash.update(`\n${path} ${found?.size} ${found?.mtimeMs}`)
  }
  return hash.digest('hex')
}
