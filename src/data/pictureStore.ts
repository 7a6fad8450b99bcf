/**
 * Decoded pictures on disk, each once by the hash of its encoded bytes. They lie in segments, files that are written
 * under a name of their own and never change: any number of processes fill one store side by side, and what one
 * that is killed had finished stays.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.js'

/** Bytes of a hash. */
export const hashSize = 16

/** Where a picture lies: file number `segment` of the store, at `slot` times the size of a picture. */
export interface Place {
  segment: number
  slot: number
}

/** A segment ends when it has so many bytes: as much is lost at most when a process is killed. */
const segmentBytes = 2 ** 27

/** What nobody has used for so long may go to make room; others may be reading the rest. */
const idleMilliseconds = 24 * 3600 * 1000

export class PictureStore {
  /** Paths of the segments by number. */
  readonly segments: string[] = []
  private readonly places = new Map<string, Place>()
  /** Segments that this process needs. */
  private readonly used = new Set<number>()
  private writing: { path: string; file: number; hashes: Buffer[]; index: number } | undefined

  /** @param limit bytes that `cache`, the folder of all stores, may take. */
  constructor(
    private readonly cache: string,
    private readonly folder: string,
    private readonly pictureSize: number,
    private readonly limit: number,
  ) {
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(folder)) {
      if (name.endsWith('.hashes')) this.open(join(folder, name.slice(0, -'.hashes'.length)))
      // Left by a process that was killed.
      else if (name.endsWith('.part') && isIdle(join(folder, name))) rmSync(join(folder, name), { force: true })
    }
  }

  private open(path: string): void {
    const hashes = readFileSync(`${path}.hashes`)
    const count = hashes.length / hashSize
    // Without its pixels, e.g. where somebody made room by hand, a segment does not exist.
    if (statSync(path, { throwIfNoEntry: false })?.size !== count * this.pictureSize) return
    const segment = this.segments.push(path) - 1
    for (let slot = 0; slot < count; slot++) this.remember(hashes.subarray(slot * hashSize), { segment, slot })
  }

  private remember(hash: Buffer, place: Place): void {
    this.places.set(nameOf(hash), place)
  }

  find(hash: Buffer): Place | undefined {
    const place = this.places.get(nameOf(hash))
    if (place) this.used.add(place.segment)
    return place
  }

  /** Adds a decoded picture that the store does not have. */
  add(hash: Buffer, pixels: Uint8Array): void {
    this.writing ??= this.begin()
    const { file, hashes, index } = this.writing
    writeSync(file, pixels)
    this.remember(hash, { segment: index, slot: hashes.push(Buffer.from(hash)) - 1 })
    if (hashes.length * this.pictureSize >= segmentBytes) this.publish()
  }

  private begin() {
    const path = join(this.folder, randomUUID())
    const index = this.segments.push(path) - 1
    this.used.add(index)
    return { path, file: openSync(`${path}.part`, 'wx'), hashes: [], index }
  }

  /** Makes what was added visible to others. The hashes come last: a segment exists when they do. */
  publish(): void {
    if (!this.writing) return
    const { path, file, hashes } = this.writing
    closeSync(file)
    renameSync(`${path}.part`, path)
    writeFileSync(`${path}.hashes.part`, Buffer.concat(hashes))
    renameSync(`${path}.hashes.part`, `${path}.hashes`)
    this.writing = undefined
    this.makeRoom()
  }

  /** Says that what `find` found is in use, so that others do not make room of it. */
  touch(): void {
    const now = new Date()
    for (const segment of this.used)
      if (existsSync(this.segments[segment])) utimesSync(this.segments[segment], now, now)
  }

  /**
   * Removes segments that were idle the longest until the cache keeps its limit.
   * @throws UserError `cache-limit` where that is not enough.
   */
  private makeRoom(): void {
    this.touch()
    const files = (readdirSync(this.cache, { recursive: true }) as string[]).flatMap((name) => {
      const path = join(this.cache, name)
      const found = existsSync(`${path}.hashes`) ? statSync(path, { throwIfNoEntry: false }) : undefined
      return found ? [{ path, size: found.size, time: found.mtimeMs }] : []
    })
    let total = files.reduce((sum, { size }) => sum + size, 0)
    for (const { path, size } of files.filter(({ path }) => isIdle(path)).sort((a, b) => a.time - b.time)) {
      if (total <= this.limit) return
      for (const file of [`${path}.hashes`, path]) rmSync(file, { force: true })
      total -= size
    }
    if (total <= this.limit) return
    throw new UserError({
      id: 'cache-limit',
      where: this.cache,
      what: `decoded pictures take ${inGigabytes(total)} GB, and all are in use or were today`,
      expected: `at most ${inGigabytes(this.limit)} GB`,
      remedy: 'raise data.cacheLimit, name another data.cache, or take smaller pictures (model.imageSize)',
    })
  }
}

const inGigabytes = (bytes: number) => (bytes / 1e9).toPrecision(3)

function isIdle(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Date.now() - found.mtimeMs > idleMilliseconds
}

const nameOf = (hash: Buffer) => hash.toString('latin1', 0, hashSize)
