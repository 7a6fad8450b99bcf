/** Pictures that do not fit into the cache: read and decoded each time they are needed. */
import { UserError } from '../../base/errors.js'
import { Database } from '../tables/duckdb.js'
import { type PackedTexts, SharedTexts } from '../tables/sharedMemory.js'
import { fileRowColumn, openSource } from '../tables/source.js'
import { pictureKinds, pictureSql, picturesOf, selectPictures } from './column.js'
import type { DecodeOptions } from './decode.js'
import { type PictureInput, type PicturePlace, pictureName } from './files.js'

/** Locations of the encoded pictures: paths, or rows (from 0) of files with a Parquet column. Plain data. */
export type PictureOrigin =
  | { paths: PackedTexts }
  | { column: string; type: string; files: string[]; file: Int32Array; row: Int32Array }

/** Plain data to make a `PictureStream`, also in another thread. */
export interface StreamedPictures {
  origin: PictureOrigin
  place: PicturePlace
  decoding: DecodeOptions
}

export class PictureStream {
  private db: Database | undefined
  /** The files that were read, as SQL. */
  private readonly sources: string[] = []
  /** The reading that began last. */
  private last: Promise<unknown> = Promise.resolve()

  constructor(private readonly pictures: StreamedPictures) {}

  /**
   * Pixels [size, size, 3] of items. Their pictures could all be decoded when the run began.
   * @throws UserError `picture-changed` for one that can no longer be decoded.
   */
  async decode(items: readonly number[]): Promise<Map<number, Uint8Array>> {
    const { place, decoding } = this.pictures
    const { decodeAll } = await import('./decode.js')
    const encoded = await this.read(items)
    const nameOf = (item: number) => {
      const picture = encoded.get(item)
      return typeof picture === 'string' ? ` (${pictureName(picture)})` : ''
    }
    const decoded = await decodeAll(
      items.map((item) => encoded.get(item) ?? new Error('missing: it no longer exists')),
      place,
      decoding,
    )
    return new Map(
      decoded.map((picture, i): [number, Uint8Array] => {
        if (picture instanceof Uint8Array) return [items[i], picture]
        throw new UserError({
          id: 'picture-changed',
          where: place.folder,
          what: `picture number ${items[i] + 1}${nameOf(items[i])} could be read when the run began and is now broken: ${picture?.message}`,
          expected:
            'pictures that do not change during the run, because they do not fit into the cache (data.cacheLimit)',
          remedy: 'restore them and continue with --resume',
        })
      }),
    )
  }

  /** One after the other: a database reads one table at a time. */
  private read(items: readonly number[]): Promise<Map<number, PictureInput>> {
    const read = this.last.then(() => this.readNow(items))
    this.last = read.catch(() => {})
    return read
  }

  private async readNow(items: readonly number[]): Promise<Map<number, PictureInput>> {
    const { origin } = this.pictures
    if ('paths' in origin) {
      const paths = new SharedTexts(origin.paths)
      return new Map(items.map((item) => [item, paths.at(item)!]))
    }
    const { column, type, files, file, row } = origin
    const pictures = selectPictures(pictureSql(column, type))
    const byFile = new Map<number, Map<number, number>>()
    for (const item of items) {
      const rows = byFile.get(file[item]) ?? new Map<number, number>()
      byFile.set(file[item], rows.set(row[item], item))
    }
    this.db ??= await Database.open()
    const found = new Map<number, PictureInput>()
    // One query per file: it then reads only the row groups with the rows.
    for (const [number, rows] of byFile) {
      this.sources[number] ??= (await openSource(this.db, files[number])).placed()
      const query = `SELECT ${fileRowColumn} AS row, ${pictures}
        FROM ${this.sources[number]} WHERE ${fileRowColumn} IN (${[...rows.keys()].join(', ')})`
      const read = await this.db.columns(query, { row: 'int32', ...pictureKinds })
      for (const [i, picture] of picturesOf(read).entries()) if (picture) found.set(rows.get(read.row[i])!, picture)
    }
    return found
  }

  close(): void {
    this.db?.close()
    this.db = undefined
  }
}
