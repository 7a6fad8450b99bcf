/** The column of pictures in a table: bytes, texts (paths or `data:` URIs), or Hugging Face's struct<bytes, path>. */
import { identifier } from '../tables/duckdb.js'
import { type PictureInput, pictureIn } from './files.js'

/**
 * Whether a DuckDB type holds one picture per row. A struct does by its own fields `bytes` and `path`, in any case; one
 * with a path and with bytes under another name does not, because these bytes would be passed over.
 */
export function isPictureType(type: string): boolean {
  if (type === 'VARCHAR' || type === 'BLOB') return true
  if (field(type, 'bytes', 'BLOB')) return true
  return field(type, 'path', 'VARCHAR') !== undefined && !fieldsOf(type).some((one) => one.type === 'BLOB')
}

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
  return fieldsOf(struct).find((one) => one.name.toLowerCase() === name && one.type === type)?.name
}

/** The fields of a DuckDB struct type, without those of structs in it; none of another type. */
function fieldsOf(struct: string): { name: string; type: string }[] {
  const [, inner] = /^STRUCT\((.*)\)$/s.exec(struct) ?? []
  if (inner === undefined) return []
  const fields = ['']
  let depth = 0
  // Quoted names, in which "" is a quote, may contain any character.
  for (const [token] of inner.matchAll(/"(?:[^"]|"")*"|[^"]/gs)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === ',' && depth === 0) fields.push('')
    else fields.push(fields.pop()! + token)
  }
  return fields.map((text) => {
    const [, quoted, bare, type] = /^\s*(?:"((?:[^"]|"")*)"|(\S+))\s+(.*)$/s.exec(text) ?? []
    return { name: quoted?.replaceAll('""', '"') ?? bare ?? '', type: type ?? '' }
  })
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
