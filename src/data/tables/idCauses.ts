/** Why ids that should be equal are not: ways in which programs rewrite ids, tried on a sample. */
import { type Database, literal } from './duckdb.js'

/** A likely cause, and the ids that it explains. */
export interface Cause {
  what: string
  remedy: string
  /** Share of the unmatched ids that it explains. */
  share: number
  /** Some unmatched ids with the id of the other table that each corresponds to. */
  pairs: [string, string][]
}

/** SQL of an id in a form that the two tables may share. */
interface Rewriting {
  what: string
  remedy: string
  sql: (id: string) => string
}

const trimmed = (id: string) =>
  `regexp_replace(${id}, '^[\\s\\p{Z}\\x{FEFF}\\x{200B}]+|[\\s\\p{Z}\\x{FEFF}\\x{200B}]+$', '', 'g')`
const withoutQuotes = (id: string) => `regexp_replace(${id}, '^["'']+|["'']+$', '', 'g')`
const withoutFraction = (id: string) => `regexp_replace(${id}, '^([+-]?\\d+)\\.0*$', '\\1')`
const withoutZeros = (id: string) => `regexp_replace(${id}, '^0+(.)', '\\1')`
const withoutPrefix = (id: string) => `regexp_replace(${id}, '^\\D+(\\d+(\\.0*)?)$', '\\1')`
const everything = (id: string) => withoutZeros(withoutFraction(withoutPrefix(`lower(${withoutQuotes(trimmed(id))})`)))

/** In the order in which they are tried: the first of several that explain equally many wins. */
const rewritings: readonly Rewriting[] = [
  { what: 'spaces around ids', remedy: 'trim the ids when writing the files', sql: trimmed },
  {
    what: "a fraction '.0', as ids get when they are stored as floating point",
    remedy: 'cast the ids to int64 before writing them as text',
    sql: withoutFraction,
  },
  { what: 'leading zeros', remedy: 'write ids with their zeros, as text, in every table', sql: withoutZeros },
  { what: 'upper and lower case', remedy: 'write the ids in one case', sql: (id) => `lower(${id})` },
  { what: 'quotation marks around ids', remedy: 'remove them when writing the files', sql: withoutQuotes },
  { what: 'a prefix before the number', remedy: 'write the ids with or without the prefix', sql: withoutPrefix },
  { what: 'several differences in how ids are written', remedy: 'write ids alike in every table', sql: everything },
]

/** Ids that programs write for "none", as text. */
export const usualPaddings = [
  '0',
  '-1',
  '',
  'pad',
  '[pad]',
  '<pad>',
  '<unk>',
  '[unk]',
  'unk',
  'null',
  'none',
  'nan',
  'na',
  'n/a',
  '\\n',
]

/** SQL condition: the id, text, is one of `usualPaddings`. */
export const isUsualPadding = (id: string) => `lower(trim(${id})) IN (${usualPaddings.map(literal).join(', ')})`

/** Least ids explained, and least share of the sample, that make a cause likely. */
const [leastIds, leastShare] = [2, 0.02]

/**
 * The way of writing ids that explains most of the ids in the table `odd`, a sample that is not in the table `other`;
 * both have a column `id` of distinct texts. Integers, if not `isText`, have one way of writing. undefined: none explains
 * more than a few.
 */
export async function likelyCause(
  db: Database,
  odd: string,
  other: string,
  isText: boolean,
): Promise<Cause | undefined> {
  const total = await db.count(odd)
  if (total === 0) return undefined
  let best: Cause | undefined
  for (const { what, remedy, sql } of isText ? rewritings : []) {
    const matches = `${odd} a JOIN ${other} b ON ${sql('a.id')} = ${sql('b.id')}`
    const { n } = await db.row<{ n: bigint }>(`SELECT count(DISTINCT a.id) AS n FROM ${matches}`)
    const share = Number(n) / total
    if (Number(n) < Math.min(leastIds, total) || share < leastShare || share <= (best?.share ?? 0)) continue
    const pairs = await db.rows<{ a: string; b: string }>(
      `SELECT a.id AS a, min(b.id) AS b FROM ${matches} GROUP BY a.id ORDER BY a.id LIMIT 3`,
    )
    best = { what, remedy, share, pairs: pairs.map(({ a, b }) => [a, b]) }
  }
  return best ?? (await paddingCause(db, odd, total))
}

async function paddingCause(db: Database, odd: string, total: number): Promise<Cause | undefined> {
  const found = await db.rows<{ id: string }>(`SELECT id FROM ${odd} WHERE ${isUsualPadding('id')} ORDER BY id`)
  if (found.length === 0) return undefined
  const what = `${found.map(({ id }) => `'${id}'`).join(', ')} means "no id"`
  return { what, remedy: 'drop the rows without an id', share: found.length / total, pairs: [] }
}
