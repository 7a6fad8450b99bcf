/** Features as columns of numbers: which SQL makes them, and which of them share a table. */
import { UserError } from '../../base/errors.js'
import { unknownRow } from '../../ops/tableRows.js'
import type { Column, ColumnStore } from '../tables/column.js'
import type { Table } from '../tables/contract.js'
import { identifier, literal } from '../tables/duckdb.js'
import type { BehaviorFeatureSpec, FeatureSpec } from './featureSpec.js'

/** A feature of impressions, items or behaviors, and where its values come from. */
export interface FeaturePlan {
  name: string
  spec: FeatureSpec
  /** Name of the embedding table. */
  table: string
  /** SQL name of the DuckDB table (value, number) that numbers its values; undefined if it needs no vocabulary. */
  numbers: string | undefined
  /** SQL of the texts, one for each value that the feature has, or of the number. */
  sql: string[]
}

/** A feature of behaviors. `target` is SQL of the impression's own value; none: it is unknown. */
export interface BehaviorFeaturePlan extends FeaturePlan {
  target: string | undefined
}

/** What a feature reads of each row: codes [rows × values], -1 for none, or numbers [rows], NaN for none. */
export interface FeatureColumn extends FeaturePlan {
  codes?: Column<'int32'>
  values: number
  numbersOfRows?: Column<'float32'>
}

/** SQL name of the DuckDB table that numbers the values of an embedding table. */
export const numbersOf = (table: string) => identifier(`numbers of ${table}`)

const taken = ['item', 'user', 'content', 'gap']

export const nameOf = ({ name, column }: { name: string | null; column: string | string[] }) =>
  name ?? (typeof column === 'string' ? column : column.join('+'))

/** The features that read `table`, which SQL calls `t`. @throws UserError `column-missing`, `column-type` */
export function planFeatures(specs: readonly FeatureSpec[], table: Table): FeaturePlan[] {
  return specs.map((spec): FeaturePlan => {
    const names = typeof spec.column === 'string' ? [spec.column] : spec.column
    const types = names.map((name) => typeOf(table, name))
    const isList = types[0].endsWith(']')
    const isNumber = spec.kind === 'number' || spec.kind === 'bucket'
    const refuse = (expected: string, remedy: string) => {
      const what = `column '${names[0]}' is ${types[0]}`
      return new UserError({ id: 'column-type', where: table.path, what, expected, remedy })
    }
    if (isList !== (spec.kind === 'list')) {
      throw refuse(isList ? 'one value in a row' : 'a list', `give the feature another kind than '${spec.kind}'`)
    }
    if (isNumber && !/INT|FLOAT|DOUBLE|DECIMAL|BOOLEAN/.test(types[0])) throw refuse('a number', 'use kind: category')
    const name = nameOf(spec)
    const own = 'table' in spec ? (spec.table ?? name) : name
    const quoted = names.map((column) => `t.${identifier(column)}`)
    const numbers = spec.kind === 'category' || spec.kind === 'list' ? numbersOf(own) : undefined
    return { name, spec, table: own, numbers, sql: sqlOf(spec, quoted) }
  })
}

function sqlOf(spec: FeatureSpec, columns: string[]): string[] {
  if (spec.kind === 'number' || spec.kind === 'bucket') return [`CAST(${columns[0]} AS FLOAT)`]
  if (spec.kind === 'list') {
    const text = (i: number) => `CAST(${columns[0]}[${i + 1}] AS VARCHAR)`
    const { padding } = spec
    return Array.from({ length: spec.length }, (_, i) =>
      padding === null ? text(i) : `nullif(${text(i)}, ${literal(String(padding))})`,
    )
  }
  // A combination is null where one of its values is.
  return [columns.map((column) => `CAST(${column} AS VARCHAR)`).join(' || chr(31) || ')]
}

/** Side features, whose values are in `behaviors`, or, where histories are listed, in lists of the impressions. */
export function planBehaviorFeatures(
  specs: readonly BehaviorFeatureSpec[],
  impressions: Table,
  behaviors: Table | undefined,
): { behaviorFeatures: BehaviorFeaturePlan[]; gap: boolean } {
  const behaviorFeatures = specs.flatMap((spec): BehaviorFeaturePlan[] => {
    if (spec.kind === 'gap') return []
    const name = nameOf(spec)
    const table = spec.table ?? name
    const column = identifier(spec.column)
    const type = typeOf(behaviors ?? impressions, spec.column)
    if (!behaviors && !type.endsWith(']')) {
      const what = `column '${spec.column}' is ${type}`
      throw new UserError({
        id: 'column-type',
        where: impressions.path,
        what,
        expected: 'a list as long as the history',
      })
    }
    if (spec.target !== null) typeOf(impressions, spec.target)
    const target = spec.target === null ? undefined : `CAST(t.${identifier(spec.target)} AS VARCHAR)`
    const sql = behaviors ? `CAST(t.${column} AS VARCHAR)` : `t.${column}`
    const { minCount } = spec
    const category = { kind: 'category' as const, name: spec.name, column: spec.column, table: spec.table, minCount }
    return [{ name, spec: category, table, numbers: numbersOf(table), sql: [sql], target }]
  })
  const gap = specs.some(({ kind }) => kind === 'gap')
  if (gap && !behaviors) {
    const what = 'features.history: gap, but histories are listed and have no times'
    throw new UserError({ id: 'feature-gap', what, remedy: 'leave the gap out' })
  }
  return { behaviorFeatures, gap }
}

/** @throws UserError `feature-names` for two features of one name. */
export function checkNames(names: readonly string[]): void {
  const twice = names.find((name, i) => taken.includes(name) || names.indexOf(name) < i)
  if (twice === undefined) return
  const remedy = 'give one of them another with name:'
  throw new UserError({ id: 'feature-names', what: `two features are called '${twice}'`, expected: 'names', remedy })
}

function typeOf(table: Table, name: string): string {
  const type = table.columns.get(name)
  if (type !== undefined) return type
  const expected = `one of ${[...table.columns.keys()].join(', ')}`
  throw new UserError({ id: 'column-missing', where: table.path, what: `column '${name}' is missing`, expected })
}

/** A stable hash of a text to the rows of a table beyond those of padding and of what is unknown. */
export const hashedRow = (text: string, rows: number) =>
  `CAST(md5_number_lower(${text}) % ${rows - unknownRow - 1} + ${unknownRow + 1} AS INTEGER)`

/** SQL that a query must select and join, so that `columnsOf` finds the features in its result. */
export function selectFeatures(plans: readonly FeaturePlan[]): { select: string[]; joins: string } {
  const select: string[] = []
  const joins: string[] = []
  for (const [p, { spec, numbers, sql }] of plans.entries()) {
    for (const [i, text] of sql.entries()) {
      const column = columnName(p, i)
      if (numbers !== undefined) {
        select.push(`coalesce(${column}_v.number, -1) AS ${column}`)
        joins.push(`LEFT JOIN ${numbers} ${column}_v ON ${column}_v.value = ${text}`)
      } else if (spec.kind === 'hash') select.push(`coalesce(${hashedRow(text, spec.rows)}, -1) AS ${column}`)
      else select.push(`coalesce(${text}, ${literal('nan')}::FLOAT) AS ${column}`)
    }
  }
  return { select, joins: joins.join('\n') }
}

const columnName = (plan: number, value: number) => `feature_${plan}_${value}`

/** Names and kinds of the columns that `selectFeatures` adds. */
export function featureKinds(plans: readonly FeaturePlan[]): Record<string, 'int32' | 'float32'> {
  return Object.fromEntries(
    plans.flatMap(({ spec, sql }, p) =>
      sql.map((_, i) => [columnName(p, i), spec.kind === 'number' || spec.kind === 'bucket' ? 'float32' : 'int32']),
    ),
  )
}

/** The features in the columns of a result; `store` keeps what is made of them. */
export function columnsOf(
  plans: readonly FeaturePlan[],
  read: Record<string, unknown>,
  store: ColumnStore,
): FeatureColumn[] {
  const kinds = featureKinds(plans)
  return plans.map((plan, p) => {
    const parts = plan.sql.map((_, i) => read[columnName(p, i)])
    if (kinds[columnName(p, 0)] === 'float32')
      return { ...plan, values: 1, numbersOfRows: parts[0] as Column<'float32'> }
    return { ...plan, values: parts.length, codes: interleaved(parts as Column<'int32'>[], store) }
  })
}

/** [rows] of each part as [rows × parts]. */
function interleaved([first, ...others]: Column<'int32'>[], store: ColumnStore): Column<'int32'> {
  if (others.length === 0) return first
  const codes = store.growing('int32', (1 + others.length) * first.length)
  for (const { from, values } of first.blocks()) {
    const beside = others.map((column) => column.read(from, from + values.length))
    for (let i = 0; i < values.length; i++) {
      codes.add(values[i])
      for (const column of beside) codes.add(column[i])
    }
  }
  return codes.column()
}

/** A feature of impressions or of items: rows of an embedding table by impression or by dense item number. */
export interface RowFeature {
  name: string
  /** Embedding table; features may share one. */
  table: string
  /** Rows of the table. */
  size: number
  /** Embeddings that are summed; 1 but for lists. */
  values: number
  /** [rows × values]; `paddingRow` where a list is shorter. */
  rowOf: Int32Array
  /** What the embedding is multiplied by, of numbers. */
  weight?: Float32Array
}

/** A feature of behaviors: rows by event, and of the target by impression (`unknownRow` where it is not told). */
export interface BehaviorFeature {
  name: string
  table: string
  size: number
  rowOf: Int32Array
  target: Int32Array | undefined
}
