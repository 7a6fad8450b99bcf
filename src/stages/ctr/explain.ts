/** Explains scores by behaviors: those of the greatest weight in each attention, and those nearest to the target. */
import { inMemory } from '../../data/clicks/columns.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import { type Database, type SqlValue, transposed } from '../../data/tables/duckdb.js'
import type { Value } from '../../engine/index.js'
import type { BehaviorSearch } from '../../models/ctr/index.js'
import { attentionOutput, similarityOutput } from '../../runtime/clickModel.js'
import { searchBehaviors } from './search.js'

const attentionPrefix = attentionOutput('')

/** SQL that adds the columns of the explanations to a table `s` with `row`. */
export interface ExplainColumns {
  select: string
  join: string
}

/**
 * Collects, for each impression, the `top` behaviors by absolute weight of each attention, with the sum of the other
 * weights, and the `top` behaviors by cosine.
 */
export class Explanations {
  private constructor(
    private readonly db: Database,
    private readonly data: CtrDataset,
    private readonly behaviorSearch: BehaviorSearch,
    private readonly top: number,
  ) {}

  static async open(
    db: Database,
    data: CtrDataset,
    behaviorSearch: BehaviorSearch,
    top: number,
  ): Promise<Explanations> {
    await db.run(
      'CREATE OR REPLACE TEMP TABLE named (row INTEGER, part VARCHAR, place INTEGER, item INTEGER, weight FLOAT)',
    )
    await db.run('CREATE OR REPLACE TEMP TABLE others (row INTEGER, part VARCHAR, weight FLOAT)')
    return new Explanations(db, data, behaviorSearch, top)
  }

  /** Adds the outputs of a click model for the impressions `rows`. */
  async add(rows: Int32Array, outputs: Record<string, Value>): Promise<void> {
    const { columns, rows: places } = inMemory(this.data, rows)
    const { owner, item } = searchBehaviors(columns, places, this.behaviorSearch)
    const lists = Object.entries(outputs).filter(
      ([name]) => name.startsWith(attentionPrefix) || name === similarityOutput,
    )
    const named: SqlValue[][] = []
    const others: SqlValue[][] = []
    for (let from = 0; from < owner.length; ) {
      let to = from + 1
      while (to < owner.length && owner[to] === owner[from]) to++
      const row = rows[owner[from]]
      for (const [part, { data }] of lists) {
        const weights = (data as Float32Array).subarray(from, to)
        const order = strongest(weights, part)
        order.slice(0, this.top).forEach((i, place) => {
          named.push([row, part, place, item[from + i], weights[i]])
        })
        if (part === similarityOutput) continue
        others.push([row, part, order.slice(this.top).reduce((sum, i) => sum + weights[i], 0)])
      }
      from = to
    }
    await this.db.insert('named', transposed(named, 5))
    await this.db.insert('others', transposed(others, 3))
  }

  /**
   * `by_attention`: {part, item_id, weight}, greatest first within a part; `other_attention`: {part, weight}, the sum
   * over the behaviors that are not named; `by_similarity`: {item_id, similarity}. Empty lists for an empty history.
   */
  columns(): ExplainColumns {
    const part = `substr(part, ${attentionPrefix.length + 1})`
    const grouped = [
      `SELECT row,
         list({part: ${part}, item_id: item_id, weight: weight} ORDER BY part, place)
           FILTER (part <> '${similarityOutput}') AS by_attention,
         list({item_id: item_id, similarity: weight} ORDER BY place)
           FILTER (part = '${similarityOutput}') AS by_similarity
       FROM named ${this.data.numbers.joinItems} GROUP BY row`,
      `SELECT row, list({part: ${part}, weight: weight} ORDER BY part) AS other_attention FROM others GROUP BY row`,
    ]
    const names = ['by_attention', 'other_attention', 'by_similarity']
    return {
      select: names.map((name) => `, coalesce(${name}, []) AS ${name}`).join(''),
      join: grouped.map((query, i) => `LEFT JOIN (${query}) g${i} ON g${i}.row = s.row`).join(' '),
    }
  }
}

/** Positions in `weights`, the greatest first: of attentions by magnitude, of similarities by value. */
function strongest(weights: Float32Array, part: string): number[] {
  const size = (i: number) => (part === similarityOutput ? weights[i] : Math.abs(weights[i]))
  return Array.from(weights.keys()).sort((a, b) => size(b) - size(a) || b - a)
}
