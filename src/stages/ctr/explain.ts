/** Which behaviors a score was drawn from: those of the greatest weight in each attention, and the nearest ones. */
import { inMemory } from '../../data/clicks/columns.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import type { Database } from '../../data/tables/duckdb.js'
import type { Value } from '../../engine/index.js'
import type { BehaviorSearch } from '../../models/ctr/index.js'
import { attentionOutput, similarityOutput } from '../../runtime/clickModel.js'
import { searched } from './search.js'

const attentionPrefix = attentionOutput('')

/** Columns of the explanations, to be put behind those of a table `s` with `row`. */
export interface ExplainColumns {
  select: string
  join: string
}

type Appender = Awaited<ReturnType<Database['appender']>>

/**
 * Collects, for each impression, the `top` behaviors by weight (whatever its sign) of each attention with the sum
 * of the others' weights, and the `top` by cosine.
 */
export class Explanations {
  private constructor(
    private readonly data: CtrDataset,
    private readonly behaviorSearch: BehaviorSearch,
    private readonly top: number,
    private readonly named: Appender,
    private readonly others: Appender,
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
    return new Explanations(data, behaviorSearch, top, await db.appender('named'), await db.appender('others'))
  }

  /** Takes up the outputs of a click model for the impressions `rows`. */
  add(rows: Int32Array, outputs: Record<string, Value>): void {
    const held = inMemory(this.data, rows)
    const { owner, history } = searched(held.columns, held.rows, this.behaviorSearch)
    const lists = Object.entries(outputs).filter(
      ([name]) => name.startsWith(attentionPrefix) || name === similarityOutput,
    )
    for (let from = 0; from < owner.length; ) {
      let to = from + 1
      while (to < owner.length && owner[to] === owner[from]) to++
      for (const [name, { data }] of lists) {
        this.addTop(rows[owner[from]], name, history.subarray(from, to), (data as Float32Array).subarray(from, to))
      }
      from = to
    }
  }

  private addTop(row: number, part: string, items: Int32Array, weights: Float32Array): void {
    const size = (i: number) => (part === similarityOutput ? weights[i] : Math.abs(weights[i]))
    const places = Array.from(weights.keys()).sort((a, b) => size(b) - size(a) || b - a)
    places.slice(0, this.top).forEach((i, place) => {
      this.named.appendInteger(row)
      this.named.appendVarchar(part)
      this.named.appendInteger(place)
      this.named.appendInteger(items[i])
      this.named.appendFloat(weights[i])
      this.named.endRow()
    })
    if (part === similarityOutput) return
    this.others.appendInteger(row)
    this.others.appendVarchar(part)
    this.others.appendFloat(places.slice(this.top).reduce((sum, i) => sum + weights[i], 0))
    this.others.endRow()
  }

  /**
   * `by_attention`: {part, item_id, weight}, greatest first within a part; `other_attention`: {part, weight}, what
   * the behaviors that are not named add up to; `by_similarity`: {item_id, similarity}. Empty of an empty history.
   */
  columns(): ExplainColumns {
    this.named.closeSync()
    this.others.closeSync()
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
