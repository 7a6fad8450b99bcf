/** Where the columns of impressions and behaviors are kept. */
import type { CtrConfig } from '../../config/ctr.js'
import type { ImpressionTables } from '../../data/clicks/contract.js'
import type { FeaturePlan, SidePlan } from '../../data/clicks/features.js'
import { ColumnStore } from '../../data/tables/column.js'
import { type Database, identifier } from '../../data/tables/duckdb.js'

export interface PlannedFeatures {
  context: readonly FeaturePlan[]
  sides: readonly SidePlan[]
  gap: boolean
}

/** Numbers of 4 bytes are most of all. */
const number = 4
/** User twice, item, both ends of the history, place in the order of training and before it; and the label. */
const ofImpression = 7 * number + 1
/** Item; while histories are looked up also user and time. */
const ofBehavior = 2 * number + 8

/** Memory where the columns take no more than `data.memory`, else files. */
export async function storeFor(
  db: Database,
  { data, history }: CtrConfig,
  { impressions, behaviors }: ImpressionTables,
  { context, sides, gap }: PlannedFeatures,
): Promise<ColumnStore> {
  const { weight, history: list } = data.columns
  const values = context.reduce((sum, { sql, spec }) => sum + sql.length * (spec.kind === 'number' ? 2 : 1), 0)
  const targets = sides.filter(({ target }) => target !== undefined).length
  const perImpression = ofImpression + number * (values + targets + (weight ? 1 : 0)) + (gap ? 8 : 0)
  const perBehavior = ofBehavior + number * sides.length
  const listed = `(SELECT least(len(${identifier(list ?? '')}), ${history.length}) AS n FROM ${impressions.source})`
  const count = behaviors?.rows ?? Number((await db.row<{ n: bigint | null }>(`SELECT sum(n) AS n FROM ${listed}`)).n)
  const bytes = impressions.rows * perImpression + count * perBehavior
  return bytes <= bytesIn(data.memory) ? new ColumnStore() : new ColumnStore(db.temporary)
}

/** Bytes of a size such as 2GB or 512 MiB. */
function bytesIn(size: string): number {
  const [, amount, prefix, binary] = /^([\d.]+)\s?([KMGT])(i?)B$/i.exec(size)!
  return Number(amount) * (binary ? 1024 : 1000) ** (1 + 'KMGT'.indexOf(prefix.toUpperCase()))
}
