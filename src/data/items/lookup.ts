/** Looks up titles, categories and pictures of a few items. */
import type { Id } from '../../store/index.js'
import { pictureKinds, pictureSql, picturesOf, selectPictures } from '../pictures/column.js'
import type { PictureInput } from '../pictures/files.js'
import { type Database, identifier, literal } from '../tables/duckdb.js'
import { type ItemColumns, openItems } from './columns.js'
import { folderOf } from './items.js'
import { titleSql } from './titles.js'

export interface FoundItem {
  title: string | null
  category: string | null
  picture: PictureInput | null
}

/** Items by id, without ids that the catalogue lacks, and the folder that paths of pictures are relative to. */
export async function lookUpItems(
  db: Database,
  path: string,
  { id, title, image, category }: ItemColumns,
  ids: readonly Id[],
): Promise<{ folder: string; items: Map<Id, FoundItem> }> {
  const { source, columns } = await openItems(db, path, { id, title, image, category }, { unique: false })
  const column = (name: string, type: string) => (columns.has(name) ? identifier(name) : `CAST(NULL AS ${type})`)
  const pictures = selectPictures(pictureSql(image, columns.get(image)))
  const items = new Map<Id, FoundItem>()
  const list = ids.map((one) => literal(String(one))).join(', ')
  if (list === '') return { folder: folderOf(path), items }
  const read = await db.columns(
    `SELECT CAST(${identifier(id)} AS VARCHAR) AS id, ${titleSql(columns, title)} AS title,
       CAST(${column(category, 'VARCHAR')} AS VARCHAR) AS category, ${pictures}
     FROM ${source} WHERE CAST(${identifier(id)} AS VARCHAR) IN (${list})`,
    { id: 'string', title: 'string', category: 'string', ...pictureKinds },
  )
  const found = picturesOf(read)
  const idOf = new Map(ids.map((one) => [String(one), one]))
  read.id.forEach((text, i) => {
    items.set(idOf.get(text!)!, { title: read.title[i], category: read.category[i], picture: found[i] })
  })
  return { folder: folderOf(path), items }
}
