/** The columns of the items table that stages read. */
import type { DataFacts } from '../facts.js'
import { type ColumnRule, openTable, type Table } from '../tables/contract.js'
import type { Database } from '../tables/duckdb.js'
import { addTableFacts } from '../tables/tableFacts.js'
import { usualItemColumns } from '../usualColumns.js'
import { type TitleColumns, titleNames, titleRules } from './titles.js'

export interface ItemColumns {
  id: string
  title: TitleColumns
  image: string
  category: string
}

/**
 * Opens and checks the items table. `facts` gets its rows and columns, and notes on what it lacks.
 * @throws UserError of `openTable`
 */
export async function openItems(
  db: Database,
  path: string,
  columns: ItemColumns,
  { unique }: { unique: boolean },
  facts?: DataFacts,
): Promise<Table> {
  const { id, title, image, category } = columns
  const rules: Record<string, ColumnRule> = {
    [category]: { type: 'any', optional: category === usualItemColumns.category },
    ...titleRules(title),
    [image]: { type: 'image', optional: image === usualItemColumns.image },
    [id]: { type: 'id', unique },
  }
  const table = await openTable(db, path, rules, facts)
  if (facts) await addTableFacts(db, 'items', table, { used: Object.keys(rules) }, facts)
  facts?.notes.push(...missingModality(table, columns))
  return table
}

/** The columns of titles and pictures that a table has. */
export function modalitiesOf({ columns }: Table, { title, image }: ItemColumns) {
  return { hasTitles: titleNames(title).some((name) => columns.has(name)), hasPictures: columns.has(image) }
}

function missingModality(table: Table, columns: ItemColumns): string[] {
  const { hasTitles, hasPictures } = modalitiesOf(table, columns)
  if (hasTitles && !hasPictures) return [`${table.path}: no column '${columns.image}': titles alone`]
  if (!hasTitles && hasPictures) return [`${table.path}: no column '${titleNames(columns.title)}': pictures alone`]
  return []
}
