/** Pictures that the cache has no room for: read and decoded anew each time that they are asked for. */
import { UserError } from '../../base/errors.js'
import { Database, identifier, literal } from '../tables/duckdb.js'
import { type PackedTexts, SharedTexts } from '../tables/sharedMemory.js'
import type { DecodeOptions } from './decode.js'
import type { PictureInput, PicturePlace } from './files.js'

/**
 * Where the encoded picture of any item is found: at a path, or in a column of Parquet files, by file and row (from 0);
 * plain data.
 */
export type PictureOrigin =
  | { paths: PackedTexts }
  | { column: string; files: string[]; file: Int32Array; row: Int32Array }

/** All that another thread needs to make a `PictureStream` of its own. */
export interface StreamedPictures {
  origin: PictureOrigin
  place: PicturePlace
  decoding: DecodeOptions
}

export class PictureStream {
  private db: Database | undefined

  constructor(private readonly from: StreamedPictures) {}

  /**
   * Pixels [size, size, 3] of items, all of which have a picture that could be decoded when the run began.
   * @throws UserError `picture-changed` for one that no longer can.
   */
  async decode(items: readonly number[]): Promise<Map<number, Uint8Array>> {
    const { place, decoding } = this.from
    const { decodeAll } = await import('./decode.js')
    const encoded = await this.read(items)
    const decoded = await decodeAll(
      items.map((item) => encoded.get(item) ?? new Error('missing: it is no longer there')),
      place,
      decoding,
    )
    return new Map(
      decoded.map((picture, i): [number, Uint8Array] => {
        if (picture instanceof Uint8Array) return [items[i], picture]
        throw new UserError({
          id: 'picture-changed',
          where: place.folder,
          what: `picture number ${items[i] + 1}, whole when the run began, is now broken: ${picture?.message}`,
          expected: 'pictures that stay as they are, for the cache has no room for them (data.cacheLimit)',
          remedy: 'put them back, then --resume',
        })
      }),
    )
  }

  private async read(items: readonly number[]): Promise<Map<number, PictureInput>> {
    const { origin } = this.from
    if ('paths' in origin) {
      const paths = new SharedTexts(origin.paths)
      return new Map(items.map((item) => [item, paths.at(item)!]))
    }
    const { column, files, file, row } = origin
    const byFile = new Map<number, Map<number, number>>()
    for (const item of items) {
      const rows = byFile.get(file[item]) ?? new Map<number, number>()
      byFile.set(file[item], rows.set(row[item], item))
    }
    this.db ??= await Database.open()
    const found = new Map<number, PictureInput>()
    // One query each: of a file that is named, only the row groups that hold the rows are read.
    for (const [number, rows] of byFile) {
      const query = `SELECT file_row_number AS row, ${identifier(column)} AS picture
        FROM read_parquet(${literal(files[number])}) WHERE file_row_number IN (${[...rows.keys()].join(', ')})`
      const read = await this.db.columns(query, { row: 'int32', picture: 'blob' })
      for (const [i, picture] of read.picture.entries()) if (picture) found.set(rows.get(read.row[i])!, picture)
    }
    return found
  }

  close(): void {
    this.db?.close()
    this.db = undefined
  }
}
