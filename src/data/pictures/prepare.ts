/** Decodes and resizes pictures once, to know which are broken and to keep as many as the cache has room for. */
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
  /** Folder that paths start from. */
  folder: string
  /** The pictures in order, in pieces; null where there is none. */
  read(): AsyncIterable<(PictureInput | null)[]>
  /** Where any of them is found later on. */
  origin(): Promise<PictureOrigin>
}

export interface PictureOptions extends DecodeOptions {
  /** Folder of the cache. */
  cache: string
  /** Gigabytes that it may take; what has no room is decoded each time that it is needed. */
  cacheLimit: number
  /** Share of the pictures that may be broken before the run stops. */
  maxBad: number
  /** May paths lead out of the folder of the table? */
  allowOutside: boolean
}

/** What the `data` options of a stage say about pictures. */
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

/** Most that is held in memory, in bytes. */
const inMemory = 2 ** 30

/** Raised when what is stored changes its meaning. */
const cacheVersion = 3

/** What a list says of each picture, `hashSize` bytes: its hash, or that there is none or a broken one. */
const nothing = Buffer.alloc(hashSize)
const isNothing = (hash: Buffer) => hash.equals(nothing)

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24)

/**
 * Decodes and resizes all pictures of `source`, each different one once, or finds them in the cache. Where `progress`
 * throws it stops, and what was decoded stays.
 * @throws UserError `pictures-bad` when more than `maxBad` of them are broken.
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
  const lacks = list?.hashes.filter((hash) => !isNothing(hash) && !store.find(hash)).length
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

/** The pictures of a source by their hashes, and those that are broken. */
interface PictureList {
  hashes: Buffer[]
  rejected: Rejected[]
}

/** Decodes what the store lacks, and puts there what it has room for. */
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
    const lacking = new Map<string, { hash: Buffer; bytes: Uint8Array }>()
    for (const { bytes } of piece) {
      const hash = bytes instanceof Uint8Array ? hashOf(bytes) : nothing
      hashes.push(hash)
      if (bytes instanceof Uint8Array && !store.find(hash)) lacking.set(hash.toString('hex'), { hash, bytes })
    }
    const decoded = await decodeAll(
      Array.from(lacking.values(), ({ bytes }) => bytes),
      place,
      options,
    )
    const broken = new Map<string, string>()
    for (const [i, [name, { hash }]] of [...lacking].entries()) {
      const result = decoded[i]
      if (result instanceof Uint8Array) store.add(hash, result)
      else if (result) broken.set(name, result.message)
    }
    for (const [i, { path, bytes }] of piece.entries()) {
      const reason = bytes instanceof Error ? bytes.message : broken.get(hashes[from + i].toString('hex'))
      if (reason === undefined) continue
      rejected.push({ index: from + i, path, reason })
      hashes[from + i] = nothing
    }
    progress(hashes.length)
  }
  return { hashes, rejected }
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest().subarray(0, hashSize)

/** A list is written when all its pictures are in the store; JSON of what is broken follows the hashes. */
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

/** The different pictures of a list: the number of each item's, −1 where it has none, and the place of each. */
function locate(store: PictureStore, { hashes }: PictureList) {
  const distinct = new Int32Array(hashes.length).fill(-1)
  const numbers = new Map<string, number>()
  const places: (Place | undefined)[] = []
  for (const [i, hash] of hashes.entries()) {
    if (isNothing(hash)) continue
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
  if (places.length * pictureSize > inMemory) return undefined
  const bytes = new Uint8Array(new SharedArrayBuffer(places.length * pictureSize))
  const files = new Map<number, number>()
  for (let from = 0, to = 0; from < places.length; from = to) {
    const { segment, slot } = places[from]
    // What lies together is read together.
    for (to = from + 1; places[to]?.segment === segment && places[to].slot === slot + to - from; ) to++
    const file = files.get(segment) ?? openSync(segments[segment], 'r')
    files.set(segment, file)
    readExactly(file, bytes.subarray(from * pictureSize, to * pictureSize), slot * pictureSize, segments[segment])
  }
  for (const file of files.values()) closeSync(file)
  return bytes
}

function readExactly(file: number, into: Uint8Array, position: number, path: string): void {
  for (let at = 0; at < into.length; ) {
    const read = readSync(file, into, at, into.length - at, position + at)
    if (read === 0) throw new Error(`${path} ends after ${position + at} bytes`)
    at += read
  }
}

/** A fingerprint of picture files, by their names, sizes and times of change. */
export function fingerprintOfFiles(folder: string, paths: Iterable<string | null>): string {
  const hash = createHash('sha256').update(folder)
  for (const path of paths) {
    const found = path === null ? undefined : statSync(resolve(folder, path), { throwIfNoEntry: false })
    hash.update(`\n${path} ${found?.size} ${found?.mtimeMs}`)
  }
  return hash.digest('hex')
}
