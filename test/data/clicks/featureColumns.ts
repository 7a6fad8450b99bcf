/** Features of texts and the data sets that have them, without a database. */

import type { FeatureColumn } from '../../../src/data/clicks/features.js'
import { ClickNumbers, type NumberTable } from '../../../src/data/clicks/numbers.js'
import type { Impressions } from '../../../src/data/clicks/read.js'
import { Column, columnOf, type Stored } from '../../../src/data/tables/column.js'

interface TextColumn {
  column: FeatureColumn
  /** The table that would number its values. */
  numbers: NumberTable
}

/** A category with the codes that its texts have in alphabetical order. */
export function textColumn(name: string, texts: (string | null)[]): TextColumn {
  const names = [...new Set(texts.filter((text) => text !== null))].sort()
  const numbers = `numbers of ${name}`
  const spec = { kind: 'category' as const, name: null, column: name, table: null, minCount: null }
  const codes = Int32Array.from(texts, (text) => (text === null ? -1 : names.indexOf(text)))
  return {
    column: { name, spec, table: name, reads: 'vocabulary', sql: [name], values: 1, codes: columnOf(codes) },
    numbers: { name: numbers, value: 'value', number: 'number', count: names.length },
  }
}

/** The numbers of ids and of text columns, in tables that do not exist. */
export function numbersOf({ items, users }: Pick<Impressions, 'items' | 'users'>, ...columns: TextColumn[]) {
  return new ClickNumbers(
    { name: 'items', value: 'item_id', number: 'item', count: items },
    { name: 'users', value: 'user_id', number: 'usr', count: users },
    Object.fromEntries(columns.map(({ column, numbers }) => [column.name, numbers])),
    true,
  )
}

/** What impressions without times, parts and features have. */
export const plainImpressions = {
  parts: undefined,
  weight: columnOf(new Float32Array(0)),
  time: columnOf(new Float64Array(0)),
  behaviorTime: columnOf(new Float64Array(0)),
  behaviorFeatures: [],
  context: [],
} satisfies Partial<Impressions>

/** A tree with the numbers of all columns. */
export function unstored<T>(tree: Stored<T>): T {
  if (typeof tree !== 'object' || tree === null || ArrayBuffer.isView(tree)) return tree as T
  if (tree instanceof Column) return tree.read() as T
  if (Array.isArray(tree)) return tree.map(unstored) as T
  return Object.fromEntries(Object.entries(tree).map(([name, value]) => [name, unstored(value)])) as T
}
