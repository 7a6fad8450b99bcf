/** Ids and texts as dense numbers from 0: temporary DuckDB tables, and the object that owns those of a data set. */
import type { Database } from '../tables/duckdb.js'
import { narrowIds } from '../tables/ids.js'
import { hashedRow } from './features.js'
import type { Vocabulary } from './vocabulary.js'

/** A DuckDB table that has a dense number for each value; `name`, `value` and `number` are SQL. */
export interface NumberTable {
  name: string
  /** Column of the values. */
  value: string
  /** Column of their numbers. */
  number: string
  /** Number of values. */
  count: number
  /** Sources of the values: source i has those with bit i in the column `sources`. undefined: there is no such column. */
  sources?: readonly ItemSource[]
}

/** Where items come from: tables, or the listed histories of impressions. */
export type ItemSource = 'impressions' | 'behaviors' | 'histories' | 'items'

export interface NumberPlan extends Omit<NumberTable, 'count'> {
  /** SQL query of both columns, e.g. of `numbered`. */
  query: string
}

export interface NumberPlans {
  items: NumberPlan
  users: NumberPlan
  /** By embedding table. */
  texts: Readonly<Record<string, NumberPlan>>
  /** Whether users have an embedding table. */
  embedsUsers: boolean
}

/** The number tables of one data set. */
export class ClickNumbers {
  /** By embedding table. */
  readonly byTable: Readonly<Record<string, NumberTable>>

  constructor(
    readonly items: NumberTable,
    readonly users: NumberTable,
    texts: Readonly<Record<string, NumberTable>>,
    embedsUsers: boolean,
  ) {
    this.byTable = { item: items, ...(embedsUsers ? { user: users } : {}), ...texts }
  }

  /** Creates the tables. */
  static async create(db: Database, { items, users, texts, embedsUsers }: NumberPlans): Promise<ClickNumbers> {
    const ofItems = await createTable(db, items)
    const ofUsers = await createTable(db, users)
    const ofTexts: Record<string, NumberTable> = {}
    for (const [table, plan] of Object.entries(texts)) ofTexts[table] = await createTable(db, plan)
    return new ClickNumbers(ofItems, ofUsers, ofTexts, embedsUsers)
  }

  /** SQL that joins `item_id` to rows that have an item number, `item`. */
  get joinItems(): string {
    return `JOIN ${this.items.name} USING (${this.items.number})`
  }

  /** SQL that joins `user_id` to rows that have a user number, `usr`. */
  get joinUsers(): string {
    return `JOIN ${this.users.name} USING (${this.users.number})`
  }

  /** Embedding table rows of items and users if ids are hashed to `rows` rows. */
  async hashedRows(db: Database, rows: number): Promise<{ item: Vocabulary; user: Vocabulary }> {
    const hashed = async ({ name, value, number }: NumberTable): Promise<Vocabulary> => {
      const row = hashedRow(`CAST(${value} AS VARCHAR)`, rows)
      const read = await db.columns(`SELECT ${row} AS row FROM ${name} ORDER BY ${number}`, { row: 'int32' })
      return { rowOf: read.row, size: rows }
    }
    return { item: await hashed(this.items), user: await hashed(this.users) }
  }
}

/** SQL that numbers the distinct values of a query in their order; nulls get no number. */
export const numbered = (value: string, number: string, query: string) =>
  `SELECT ${value}, CAST(row_number() OVER (ORDER BY ${value}) - 1 AS INTEGER) AS ${number}
   FROM (SELECT DISTINCT ${value} FROM (${query}) WHERE ${value} IS NOT NULL)`

/** Like `numbered`, but of several queries; bit i of the column `sources` is 1 if query i has the value. */
export function numberedBySource(value: string, number: string, queries: readonly string[]): string {
  const all = queries.map((query, i) => `SELECT ${value}, ${1 << i}::UTINYINT AS source FROM (${query})`)
  return `SELECT ${value}, CAST(row_number() OVER (ORDER BY ${value}) - 1 AS INTEGER) AS ${number}, sources
   FROM (SELECT ${value}, bit_or(source) AS sources FROM (${all.join(' UNION ALL ')})
     WHERE ${value} IS NOT NULL GROUP BY ${value})`
}

/** SQL condition: the values that a source has. */
export const isOf = ({ sources }: NumberTable, source: ItemSource) => `sources & ${1 << sources!.indexOf(source)} > 0`

async function createTable(db: Database, { query, ...plan }: NumberPlan): Promise<NumberTable> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${plan.name} AS ${query}`)
  await narrowIds(db, plan.name, plan.value)
  return { ...plan, count: await db.count(plan.name) }
}
