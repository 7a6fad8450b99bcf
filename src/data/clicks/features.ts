/** Features as columns of numbers: their SQL, and the embedding tables that they read. */
import { UserError } from '../../base/errors.js'
import { unknownRow } from '../../ops/tableRows.js'
import type { Column, ColumnStore } from '../tables/column.js'
import { columnType, type Table } from '../tables/contract.js'
import { identifier, literal } from '../tables/duckdb.js'
import type { BehaviorFeatureSpec, FeatureSpec } from './featureSpec.js'

/** A feature of impressions, items or behaviors, and where its values come from. */
export interface FeaturePlan {
  name: string
  spec: FeatureSpec
  /** Name of the embedding table. */
  table: string
  /** How values become table rows: by a vocabulary that is learned, by their hash, or one row scaled by a number. */
  reads: 'vocabulary' | 'hash' | 'number'
  /** SQL of the values, one for each that a row has: texts or, if `reads` is number, the number. */
  sql: string[]
}

/** A feature of behaviors. `target` is SQL of the value of the target; undefined: unknown. */
export interface BehaviorFeaturePlan extends FeaturePlan {
  target: string | undefined
}

/** Values of a feature: codes [rows × values], -1 for missing ones, or numbers [rows], NaN for missing ones. */
export interface FeatureColumn extends FeaturePlan {
  codes?: Column<'int32'>
  values: number
  numbersOfRows?: Column<'float32'>
}

/** SQL name of the DuckDB table that numbers the values of an embedding table. */
export const numbersOf = (table: string) => identifier(`numbers of ${table}`)

const reservedNames = ['item', 'user', 'content', 'gap']

export const nameOf = ({ name, column }: { name: string | null; column: string | string[] }) =>
  name ?? (typeof column === 'string' ? column : column.join('+'))

/** The features that read `table`, which SQL calls `t`. @throws UserError `column-missing`, `column-twice`, `column-type` */
export function planFeatures(specs: readonly FeatureSpec[], table: Table): FeaturePlan[] {
  return specs.map((spec): FeaturePlan => {
    const names = typeof spec.column === 'string' ? [spec.column] : spec.column
    const reads = readsOf[spec.kind]
    const columns = names.map((name) => typed(table, name, spec.kind))
    const name = nameOf(spec)
    return { name, spec, table: ('table' in spec ? spec.table : null) ?? name, reads, sql: sqlOf(spec, columns) }
  })
}

/** DuckDB types of numbers, and of values that are no category: those of several parts and moments. */
const numberType = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN)$/
const noCategory = /^(STRUCT|MAP|UNION|TIMESTAMP|TIME|INTERVAL)\b/

/** @throws UserError `column-type` */
function checkType(kind: FeatureSpec['kind'], type: string, where: string): void {
  const refuse = (expected: string, remedy: string) =>
    new UserError({ id: 'column-type', where, what: `the column is ${type}`, expected, remedy })
  const isList = type.endsWith(']')
  const element = type.replace(/\[\d*\]$/, '')
  if (noCategory.test(element) || element.endsWith(']')) {
    const remedy = /^TIME/.test(element)
      ? 'make a column of what matters in it, e.g. the hour or the day of the week'
      : 'make a column of each value in it that matters'
    throw refuse('numbers, strings or lists of them', remedy)
  }
  if (isList !== (kind === 'list'))
    throw refuse(isList ? 'one value per row' : 'a list', `give the feature another kind than '${kind}'`)
  if (readsOf[kind] === 'number' && !numberType.test(type))
    throw refuse('a number', 'cast the column, or use kind: category')
}

/** SQL of a column and its DuckDB type. */
interface TypedColumn {
  sql: string
  type: string
}

/** A column of a table, which SQL calls `t`, as a feature of a kind. */
function typed(table: Table, name: string, kind: FeatureSpec['kind']): TypedColumn {
  const type = columnType(table, name)
  checkType(kind, type, `${table.path}: column '${name}'`)
  return { sql: `t.${identifier(name)}`, type }
}

/**
 * SQL of a value as text. Floating point occurs where integers had gaps: whole numbers have the text of the integer, and
 * NaN is missing.
 */
function textOf({ sql, type }: TypedColumn): string {
  if (!isFloat(type)) return `CAST(${sql} AS VARCHAR)`
  const whole = `${sql} = trunc(${sql}) AND abs(${sql}) < 9007199254740992`
  return `CASE WHEN isnan(${sql}) THEN NULL WHEN ${whole} THEN CAST(CAST(${sql} AS BIGINT) AS VARCHAR) ELSE CAST(${sql} AS VARCHAR) END`
}

/** SQL of a list of which the elements, cast to VARCHAR, are as those of `textOf`. */
function textsOf({ sql, type }: TypedColumn): string {
  const element = type.replace(/\[\d*\]$/, '')
  return isFloat(element) ? `list_transform(${sql}, lambda x: ${textOf({ sql: 'x', type: element })})` : sql
}

const isFloat = (type: string) => /^(FLOAT|DOUBLE)$/.test(type)

/** SQL of a number as float32; infinity if it is too large. */
const float32 = (number: string) =>
  `CASE WHEN ${number} IS NOT NULL THEN coalesce(TRY_CAST(${number} AS FLOAT), 'inf'::FLOAT) END`

const readsOf: Record<FeatureSpec['kind'], FeaturePlan['reads']> = {
  category: 'vocabulary',
  list: 'vocabulary',
  hash: 'hash',
  number: 'number',
  bucket: 'number',
}

function sqlOf(spec: FeatureSpec, columns: TypedColumn[]): string[] {
  const [{ sql, type }] = columns
  if (readsOf[spec.kind] === 'number') return [float32(sql)]
  if (spec.kind === 'list') {
    const text = (i: number) => textOf({ sql: `${sql}[${i + 1}]`, type: type.replace(/\[\d*\]$/, '') })
    const { padding } = spec
    return Array.from({ length: spec.length }, (_, i) =>
      padding === null ? text(i) : `nullif(${text(i)}, ${literal(String(padding))})`,
    )
  }
  // A combination is null if one of its values is.
  return [columns.map(textOf).join(' || chr(31) || ')]
}

/**
 * Features of behaviors, from `behaviors` or, with listed histories, from lists in the impressions.
 * @throws UserError `column-missing`, `column-type`, `feature-gap`
 */
export function planBehaviorFeatures(
  specs: readonly BehaviorFeatureSpec[],
  impressions: Table,
  behaviors: Table | undefined,
): { behaviorFeatures: BehaviorFeaturePlan[]; gap: boolean } {
  const behaviorFeatures = specs.flatMap((spec): BehaviorFeaturePlan[] => {
    if (spec.kind === 'gap') return []
    const name = nameOf(spec)
    const table = spec.table ?? name
    const values = typed(behaviors ?? impressions, spec.column, behaviors ? 'category' : 'list')
    const target = spec.target === null ? undefined : textOf(typed(impressions, spec.target, 'category'))
    const sql = behaviors ? textOf(values) : textsOf(values)
    const { minCount } = spec
    const category = { kind: 'category' as const, name: spec.name, column: spec.column, table: spec.table, minCount }
    return [{ name, spec: category, table, reads: 'vocabulary', sql: [sql], target }]
  })
  const gap = specs.some(({ kind }) => kind === 'gap')
  if (gap && !behaviors) {
    const what = 'features.history: gap, but histories are listed and have no times'
    throw new UserError({ id: 'feature-gap', what, remedy: 'remove the gap from features.history' })
  }
  return { behaviorFeatures, gap }
}

/** @throws UserError `feature-names` if two features have the same name, or a feature or a table has a reserved one. */
export function checkNames(names: readonly string[], tables: readonly string[]): void {
  // Records by name would find what all objects of JavaScript have.
  const inherited = [...names, ...tables].find((name) => name in Object.prototype)
  if (inherited !== undefined) {
    const what = `a feature, or the table of one, is named '${inherited}', which is reserved`
    throw new UserError({ id: 'feature-names', what, expected: 'another name', remedy: 'set name: and table: of it' })
  }
  const twice = names.find((name, i) => reservedNames.includes(name) || names.indexOf(name) < i)
  if (twice === undefined) return
  const remedy = 'set name: of one of them'
  throw new UserError({
    id: 'feature-names',
    what: `two features are named '${twice}'`,
    expected: 'unique names',
    remedy,
  })
}

/** SQL of a stable hash of a text to the rows of a table, except those of padding and of unknown values. */
export const hashedRow = (text: string, rows: number) =>
  `CAST(md5_number_lower(${text}) % ${rows - unknownRow - 1} + ${unknownRow + 1} AS INTEGER)`

/** SQL that a query must select and join so that `columnsOf` finds the features in its result. */
export function selectFeatures(plans: readonly FeaturePlan[]): { select: string[]; joins: string } {
  const select: string[] = []
  const joins: string[] = []
  for (const [p, { spec, table, reads, sql }] of plans.entries()) {
    for (const [i, text] of sql.entries()) {
      const column = columnName(p, i)
      if (reads === 'vocabulary') {
        select.push(`coalesce(${column}_v.number, -1) AS ${column}`)
        joins.push(`LEFT JOIN ${numbersOf(table)} ${column}_v ON ${column}_v.value = ${text}`)
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
    plans.flatMap(({ reads, sql }, p) =>
      sql.map((_, i) => [columnName(p, i), reads === 'number' ? 'float32' : 'int32']),
    ),
  )
}

/** The features in the columns of a result; new columns are made in `store`. */
export function columnsOf(
  plans: readonly FeaturePlan[],
  read: Record<string, unknown>,
  store: ColumnStore,
): FeatureColumn[] {
  return plans.map((plan, p) => {
    const parts = plan.sql.map((_, i) => read[columnName(p, i)])
    if (plan.reads === 'number') return { ...plan, values: 1, numbersOfRows: parts[0] as Column<'float32'> }
    return { ...plan, values: parts.length, codes: interleaved(parts as Column<'int32'>[], store) }
  })
}

/** [rows] of each part as [rows × parts]. */
function interleaved([first, ...others]: Column<'int32'>[], store: ColumnStore): Column<'int32'> {
  if (others.length === 0) return first
  const codes = store.growing('int32', (1 + others.length) * first.length)
  for (const { from, values } of first.blocks()) {
    const rest = others.map((column) => column.read(from, from + values.length))
    for (let i = 0; i < values.length; i++) {
      codes.add(values[i])
      for (const column of rest) codes.add(column[i])
    }
  }
  return codes.column()
}

/** A feature as rows of an embedding table, by impression or by item number. */
export interface RowFeature {
  name: string
  /** Embedding table; features may share one. */
  table: string
  /** Rows of the table. */
  size: number
  /** Values per row, 1 except for lists; their embeddings are summed. */
  values: number
  /** [rows × values]; `paddingRow` after the end of a shorter list. */
  rowOf: Int32Array
  /** Factor on the embedding, for numbers. */
  weight?: Float32Array
}

/** A feature of behaviors: table rows by behavior and, of the target, by impression; undefined: all are `unknownRow`. */
export interface BehaviorFeature {
  name: string
  table: string
  size: number
  rowOf: Int32Array
  target: Int32Array | undefined
}
