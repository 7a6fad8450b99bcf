/** Chooses where the columns of impressions and behaviors are stored. */
import { limitIn, requireMemory } from '../../base/capacity.js'
import type { ClickPlan } from '../../data/clicks/plan.js'
import { ColumnStore } from '../../data/tables/column.js'
import { type Database, identifier } from '../../data/tables/duckdb.js'

/** Bytes of most numbers. */
const number = 4
/** Bytes per impression: user twice, item, both ends of the history, two orders of training rows; and the label. */
const ofImpression = 7 * number + 1
/** Bytes per behavior: item; while histories are built also user and time. */
const ofBehavior = 2 * number + 8

/** Memory if the columns fit in `memory`, a size such as 2GB; else files. */
export async function storeFor(db: Database, memory: string, plan: ClickPlan): Promise<ColumnStore> {
  const { tables, columns, history, context, targets, behaviorFeatures, gap } = plan
  const { impressions, behaviors } = tables
  const values = context.reduce((sum, { sql, spec }) => sum + sql.length * (spec.kind === 'number' ? 2 : 1), 0)
  const perImpression = ofImpression + number * (values + targets.length + (columns.weight ? 1 : 0)) + (gap ? 8 : 0)
  const perBehavior = ofBehavior + number * behaviorFeatures.length
  const lengths = `SELECT least(len(${identifier(columns.history ?? '')}), ${history.length}) AS n FROM ${impressions.source}`
  const count =
    behaviors?.rows ?? Number((await db.row<{ n: bigint | null }>(`SELECT sum(n) AS n FROM (${lengths})`)).n)
  const bytes = impressions.rows * perImpression + count * perBehavior
  if (bytes > limitIn(memory)!) return new ColumnStore(db.temporary)
  requireMemory(
    bytes,
    `${impressions.rows} impressions and their behaviors in memory`,
    'lower data.memory: they then go through files',
  )
  return new ColumnStore()
}
