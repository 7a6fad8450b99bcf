import { Database, literal } from '../../../src/data/tables/duckdb.js'

/** An embedding table with a unit vector of eight numbers for each item of a table, made of nothing but its id. */
export async function writeVectors(items: string, path: string): Promise<void> {
  const db = await Database.open()
  const numbers = 'list_transform(range(8), lambda i: ((item_id % 1000 * 7919 + i * 104729) % 97) / 97.0 - 0.5)'
  const unit = 'list_transform(v, lambda x: CAST(x / sqrt(list_dot_product(v, v)) AS FLOAT))'
  await db.writeParquet(
    `SELECT item_id, ${unit} AS embedding FROM (SELECT item_id, ${numbers} AS v FROM read_parquet(${literal(items)}))
     ORDER BY item_id`,
    path,
  )
  db.close()
}
