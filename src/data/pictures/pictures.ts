/** Prepared pictures: bytes [size, size, 3] in memory, in files of the cache, or decoded when needed. */
import { closeSync, openSync } from 'node:fs'
import type { PicturesPrint } from '../fingerprint/print.js'
import { type Normalization, writeNormalized } from './normalize.js'
import type { Rejected } from './rejected.js'
import { readExactly } from './segments.js'
import { PictureStream, type StreamedPictures } from './stream.js'

/** Locations of prepared pictures: plain data, from which another thread makes its own `Pictures`. */
export interface PreparedPictures {
  /** Pixels per side. */
  size: number
  /** 1 for items with a readable picture, else 0. */
  present: Uint8Array
  /** Number of each item's picture among the distinct pictures; −1 for none. */
  distinct: Int32Array
  rejected: Rejected[]
  /** Files of the cache; for each distinct picture the number of its file (−1: in none) and its slot in the file. */
  segments: string[]
  segment: Int32Array
  slot: Int32Array
  /** All distinct pictures in shared memory, if they fit; otherwise they are read from the files. */
  bytes: Uint8Array | undefined
  /** Source of the pictures that do not fit into the cache; undefined if all fit. */
  streamed: StreamedPictures | undefined
}

/** Prepared pictures. Close it when done. */
export class Pictures {
  readonly size: number
  readonly present: Uint8Array
  readonly rejected: Rejected[]
  private readonly files = new Map<number, number>()
  private readonly pictureSize: number
  private readonly stream: PictureStream | undefined

  /** @param print fingerprint of the encoded pictures; other threads have none */
  constructor(
    readonly prepared: PreparedPictures,
    readonly print?: PicturesPrint,
  ) {
    const { size, present, rejected, streamed } = prepared
    this.size = size
    this.present = present
    this.rejected = rejected
    this.pictureSize = size * size * 3
    this.stream = streamed && new PictureStream(streamed)
  }

  /**
   * The pictures of items `indices`, normalized, as [n, 3, size, size]; zeros for a missing picture. `change` augments
   * each picture, in order.
   * @throws UserError `picture-changed`.
   */
  async normalized(
    indices: ArrayLike<number>,
    normalization: Normalization,
    change?: (picture: Uint8Array) => ArrayLike<number>,
  ): Promise<Float32Array> {
    const { pictureSize } = this
    const streamed = Array.from(indices).filter((index) => this.isStreamed(index))
    const decoded = await this.stream?.decode([...new Set(streamed)])
    const out = new Float32Array(indices.length * pictureSize)
    for (let k = 0; k < indices.length; k++) {
      if (!this.present[indices[k]]) continue
      const picture = decoded?.get(indices[k]) ?? this.picture(indices[k])
      writeNormalized(change ? change(picture) : picture, normalization, out, k * pictureSize)
    }
    return out
  }

  /** Group number per item: items with the same picture share one, an item without a picture is alone in its group. */
  groups(): Int32Array {
    return this.prepared.distinct.map((picture, item) => (this.present[item] ? picture : -1 - item))
  }

  /** Number of pictures that do not fit into the cache. */
  get streamed(): number {
    return this.stream ? this.present.reduce((n, _, index) => n + Number(this.isStreamed(index)), 0) : 0
  }

  private isStreamed(index: number): boolean {
    const { distinct, segment } = this.prepared
    return this.present[index] === 1 && segment[distinct[index]] < 0
  }

  private picture(index: number): Uint8Array {
    const { bytes, distinct, segments, segment, slot } = this.prepared
    const picture = distinct[index]
    if (bytes) return bytes.subarray(picture * this.pictureSize, (picture + 1) * this.pictureSize)
    const number = segment[picture]
    if (!this.files.has(number)) this.files.set(number, openSync(segments[number], 'r'))
    const one = new Uint8Array(this.pictureSize)
    readExactly(this.files.get(number)!, one, slot[picture] * this.pictureSize, segments[number])
    return one
  }

  close(): void {
    for (const file of this.files.values()) closeSync(file)
    this.files.clear()
    this.stream?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
