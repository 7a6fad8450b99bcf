/** The column of pictures in a table: bytes, texts (paths or `data:` URIs), or Hugging Face's struct<bytes, path>. */
import { identifier } from '../tables/duckdb.js'
import { type PictureInput, pictureIn } from './files.js'

/** DuckDB types that hold one picture per row. */
export const pictureTypes = /^(VARCHAR|BLOB|STRUCT\(.*("?bytes"? BLOB|"?path"? VARCHAR)\b.*\))$/i

/** SQL of the two forms in which a row may have its picture. */
export interface PictureSql {
  bytes: string
  path: string
}

/** Kinds of these columns for `Database.columns` and `batches`. */
export const pictureKinds = { bytes: 'blob', path: 'string' } as const

const none: PictureSql = { bytes: 'CAST(NULL AS BLOB)', path: 'CAST(NULL AS VARCHAR)' }

/**
 * SQL of the pictures in column `name` of DuckDB type `type`, undefined where the table lacks it. Of a struct the bytes
 * win; its path counts where there are none. `t`: name of the table in SQL, where others have columns too.
 */
export function pictureSql(name: string, type: string | undefined, t?: string): PictureSql {
  const column = t ? `${t}.${identifier(name)}` : identifier(name)
  if (type === undefined) return none
  if (type === 'VARCHAR') return { ...none, path: column }
  if (type === 'BLOB') return { ...none, bytes: column }
  const [bytes, path] = [field(type, 'bytes', 'BLOB'), field(type, 'path', 'VARCHAR')].map(
    (found) => found && `${column}.${identifier(found)}`,
  )
  if (!bytes) return { ...none, path: path! }
  return { bytes, path: path ? `CASE WHEN coalesce(octet_length(${bytes}), 0) = 0 THEN ${path} END` : none.path }
}

/** The name of a field as the struct has it. A field that is always null may have any type, and is left out. */
function field(struct: string, name: string, type: string): string | undefined {
  return new RegExp(`(?:[(,] ?)"?(${name})"? ${type}\\b`, 'i').exec(struct)?.[1]
}

/** "bytes, path" for a SELECT. */
export const selectPictures = ({ bytes, path }: PictureSql) => `${bytes} AS bytes, ${path} AS path`

/** The pictures of rows that were read. */
export function picturesOf({
  bytes,
  path,
}: {
  bytes: (Uint8Array | null)[]
  path: (string | null)[]
}): (PictureInput | null)[] {
  return bytes.map((one, i) => pictureIn(one, path[i]))
}

/** SQL of a path, null where `pictureIn` finds none. */
export const pathSql = (text: string) => `CASE WHEN regexp_matches(${text}, '${letter}') THEN ${text} END`

const letter = '[^\\s\\pZ\\x{200b}-\\x{200d}\\x{2060}\\x{feff}]'
