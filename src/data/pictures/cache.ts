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
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** Bytes of a hash. */
export const hashSize = 16

/** Where a picture lies: file number `segment` of the store, at `slot` times the size of a picture. */
export interface Place {
  segment: number
  slot: number
}

/** A segment ends when it has so many bytes: as much is lost at most when a process is killed. */
const segmentBytes = 2 ** 27

/** Bytes of the disk that are left to others. */
const leftFree = 2 ** 30

/** What nobody has used for so long may go to make room; others may be reading the rest. */
const idleMilliseconds = 24 * 3600 * 1000

export class PictureStore {
  /** Paths of the segments by number. */
  readonly segments: string[] = []
  private readonly places = new Map<string, Place>()
  /** Segments that this process needs. */
  private readonly used = new Set<number>()
  private writing: { path: string; file: number; hashes: Buffer[]; index: number } | undefined
  /** Bytes that the segment being written may still take; 0 before it is known. */
  private room = 0
  private isFull = false

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

  /** Adds a decoded picture that the store does not have; false where there is no room for it. */
  add(hash: Buffer, pixels: Uint8Array): boolean {
    if (!this.hasRoom()) return false
    this.writing ??= this.begin()
    const { file, hashes, index } = this.writing
    writeSync(file, pixels)
    this.remember(hash, { segment: index, slot: hashes.push(Buffer.from(hash)) - 1 })
    this.room -= this.pictureSize
    if (hashes.length * this.pictureSize >= segmentBytes) this.publish()
    return true
  }

  /** Whether a picture more fits; what was idle makes room for it. */
  hasRoom(): boolean {
    if (this.room < this.pictureSize && !this.isFull) {
      this.room = this.makeRoom()
      this.isFull = this.room < this.pictureSize
    }
    return !this.isFull
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
    // Others may have written meanwhile.
    this.room = 0
  }

  /** Says that what `find` found is in use, so that others do not make room of it. */
  touch(): void {
    const now = new Date()
    for (const segment of this.used)
      if (existsSync(this.segments[segment])) utimesSync(this.segments[segment], now, now)
  }

  /** Removes segments that were idle the longest until a picture more fits; returns how many bytes are free then. */
  private makeRoom(): number {
    this.touch()
    const files = (readdirSync(this.cache, { recursive: true }) as string[]).flatMap((name) => {
      const path = join(this.cache, name)
      const found = isSegment.test(name) ? statSync(path, { throwIfNoEntry: false }) : undefined
      return found ? [{ path, size: found.size, time: found.mtimeMs }] : []
    })
    const { bavail, bsize } = statfsSync(this.cache)
    const taken = files.reduce((sum, { size }) => sum + size, 0)
    let room = Math.min(this.limit - taken, bavail * bsize - leftFree)
    for (const { path, size } of files.sort((a, b) => a.time - b.time)) {
      if (room >= this.pictureSize) break
      if (path.endsWith('.part') || !isIdle(path)) continue
      for (const file of [`${path}.hashes`, path]) rmSync(file, { force: true })
      this.forget(this.segments.indexOf(path))
      room += size
    }
    return room
  }

  private forget(segment: number): void {
    for (const [name, place] of this.places) if (place.segment === segment) this.places.delete(name)
  }
}

/** A file of pixels, finished or not. */
const isSegment = /[\da-f-]{36}(\.part)?$/

function isIdle(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Date.now() - found.mtimeMs > idleMilliseconds
}

const nameOf = (hash: Buffer) => hash.toString('latin1', 0, hashSize)
