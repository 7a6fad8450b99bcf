/**
 * Decoded pictures on disk, each stored once by the hash of its encoded bytes. They are in segments: files with unique
 * names that never change. So several processes can fill one store at the same time, and a process that is killed loses
 * only its unfinished segment.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { moveTo } from '../../base/files.js'
import { stateOfToken, tokenPattern } from '../../base/processes/owner.js'
import { siblingName } from '../../base/processes/temporary.js'
import { writeWhole } from '../../base/wholeWrite.js'

/** Bytes of a hash. */
export const hashSize = 16

/** Location of a picture: the number of the segment file, and the offset in it in pictures. */
export interface Place {
  segment: number
  slot: number
}

/** Size at which a segment is finished: the most that is lost when a process is killed. */
const segmentBytes = 2 ** 27

/** Bytes of the disk that always stay free. */
const reservedBytes = 2 ** 30

/** Segments that were not used for so long may be evicted; other processes may be reading the rest. */
const idleMilliseconds = 24 * 3600 * 1000

export class PictureStore {
  /** Paths of the segments by number. */
  readonly segments: string[] = []
  private readonly places = new Map<string, Place>()
  /** Segments that this process uses. */
  private readonly used = new Set<number>()
  private writing: { path: string; temporary: string; file: number; hashes: Buffer[]; index: number } | undefined
  /** Bytes that may still be written; 0 if not known yet. */
  private room = 0
  private isFull = false

  /** @param limit most bytes in `cache`, the folder of all stores. */
  constructor(
    private readonly cache: string,
    private readonly folder: string,
    private readonly pictureSize: number,
    private readonly limit: number,
  ) {
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(folder)) {
      if (name.endsWith('.hashes')) this.open(join(folder, name.slice(0, -'.hashes'.length)))
      else if (isAbandoned(join(folder, name))) rmSync(join(folder, name), { force: true })
    }
  }

  private open(path: string): void {
    if (!statSync(`${path}.hashes`, { throwIfNoEntry: false })?.isFile()) return
    const hashes = readFileSync(`${path}.hashes`)
    const count = hashes.length / hashSize
    // A segment without its pixels, e.g. because someone deleted them, does not exist.
    const pixels = statSync(path, { throwIfNoEntry: false })
    if (!pixels?.isFile() || pixels.size !== count * this.pictureSize) return
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

  /** Adds a decoded picture that the store does not have; returns whether it fits. */
  add(hash: Buffer, pixels: Uint8Array): boolean {
    if (!this.hasRoom()) return false
    this.writing ??= this.begin()
    const { file, hashes, index } = this.writing
    this.write(file, pixels)
    this.remember(hash, { segment: index, slot: hashes.push(Buffer.from(hash)) - 1 })
    this.room -= this.pictureSize
    if (hashes.length * this.pictureSize >= segmentBytes) this.publish()
    return true
  }

  /** A segment that cannot be written, e.g. because the disk is full, is removed. */
  private write(file: number, pixels: Uint8Array): void {
    const { path, temporary } = this.writing!
    try {
      writeWhole(file, pixels, path)
    } catch (error) {
      closeSync(file)
      rmSync(temporary, { force: true })
      this.writing = undefined
      throw error
    }
  }

  /** Evicts idle segments if needed; returns whether one more picture fits. */
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
    const temporary = siblingName(path, 'part')
    return { path, temporary, file: openSync(temporary, 'wx'), hashes: [], index }
  }

  /** Finishes the segment, which makes it visible to other processes. The hashes come last: they mark it as complete. */
  publish(): void {
    if (!this.writing) return
    const { path, temporary, file, hashes } = this.writing
    closeSync(file)
    moveTo(temporary, path)
    const hashFile = `${path}.hashes`
    writeFileSync(siblingName(hashFile, 'part'), Buffer.concat(hashes))
    moveTo(siblingName(hashFile, 'part'), hashFile)
    this.writing = undefined
    // Other processes may have written in the meantime.
    this.room = 0
  }

  /** Marks the segments that `find` returned as used, so that other processes do not evict them. */
  touch(): void {
    const now = new Date()
    for (const segment of this.used)
      if (existsSync(this.segments[segment])) utimesSync(this.segments[segment], now, now)
  }

  /** Evicts the least recently used idle segments until one more picture fits; returns the bytes that are free. */
  private makeRoom(): number {
    this.touch()
    const files = (readdirSync(this.cache, { recursive: true }) as string[]).flatMap((name) => {
      const path = join(this.cache, name)
      const found = isSegment.test(name) ? statSync(path, { throwIfNoEntry: false }) : undefined
      return found ? [{ path, size: found.size, time: found.mtimeMs }] : []
    })
    const { bavail, bsize } = statfsSync(this.cache)
    const taken = files.reduce((sum, { size }) => sum + size, 0)
    let room = Math.min(this.limit - taken, bavail * bsize - reservedBytes)
    for (const { path, size } of files.sort((a, b) => a.time - b.time)) {
      if (room >= this.pictureSize) break
      if (partOf.test(path) || !isIdle(path)) continue
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

/** Names of pixel files, finished or not. */
const isSegment = new RegExp(`[\\da-f-]{36}(\\.part-${tokenPattern})?$`)
/** Names of files that are being written, with the process. */
const partOf = new RegExp(`\\.part-(${tokenPattern})$`)

/** Whether a file is left from a process that was killed; one of another machine, which may share the cache, if idle. */
function isAbandoned(path: string): boolean {
  const [, token] = partOf.exec(path) ?? []
  if (token === undefined) return path.endsWith('.part') && isIdle(path)
  const state = stateOfToken(token)
  return state === 'ended' || (state === 'unknown' && isIdle(path))
}

function isIdle(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Date.now() - found.mtimeMs > idleMilliseconds
}

const nameOf = (hash: Buffer) => hash.toString('latin1', 0, hashSize)
