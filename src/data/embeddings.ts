/** The embedding table: one row for each item, with its vectors, what made them and from what. */
import { FLOAT, LIST } from '@duckdb/node-api'
import { type Database, literal } from './duckdb.js'

export interface EmbeddingRow {
  /** Dense number of the item. */
  item: number
  /** Unit vectors; null for a modality that the item lacks. */
  embedding: Float32Array
  image: Float32Array | null
  text: Float32Array | null
  contentHash: string
}

const fresh = 'fresh_embeddings'
const kept = 'kept_embeddings'

/** Collects rows in DuckDB, which spills to disk, and publishes them as Parquet sorted by item id. */
export class EmbeddingWriter {
  private constructor(
    private readonly db: Database,
    private readonly rows: Awaited<ReturnType<Database['appender']>>,
    private readonly unchanged: Awaited<ReturnType<Database['appender']>>,
  ) {}

  static async open(db: Database): Promise<EmbeddingWriter> {
    await db.run(`CREATE OR REPLACE TEMP TABLE ${fresh}
      (item INTEGER, embedding FLOAT[], image_embedding FLOAT[], text_embedding FLOAT[], content_hash VARCHAR)`)
    await db.run(`CREATE OR REPLACE TEMP TABLE ${kept} (item INTEGER)`)
    return new EmbeddingWriter(db, await db.appender(fresh), await db.appender(kept))
  }

  add({ item, embedding, image, text, contentHash }: EmbeddingRow): void {
    const { rows } = this
    rows.appendInteger(item)
    for (const vector of [embedding, image, text]) {
      if (vector) rows.appendList(Array.from(vector), LIST(FLOAT))
      else rows.appendNull()
    }
    rows.appendVarchar(contentHash)
    rows.endRow()
  }

  /** Takes the row of an item over from the older table. */
  keep(item: number): void {
    this.unchanged.appendInteger(item)
    this.unchanged.endRow()
  }

  /**
   * Writes the table to the file `path`. `numbers` is the DuckDB table of item ids and dense numbers;
   * `older` the folder of the table that kept rows come from.
   */
  async publish(path: string, numbers: string, modelVersion: string, older: string): Promise<void> {
    this.rows.closeSync()
    this.unchanged.closeSync()
    const columns = 'embedding, image_embedding, text_embedding, model_version, content_hash'
    const made = `SELECT item, embedding, image_embedding, text_embedding, ${literal(modelVersion)} AS model_version, content_hash FROM ${fresh}`
    const copied = `SELECT item, ${columns} FROM ${kept} JOIN ${numbers} USING (item) JOIN read_parquet(${literal(`${older}/*.parquet`)}) USING (item_id)`
    const all = (await this.db.count(kept)) > 0 ? `${made} UNION ALL ${copied}` : made
    const ordered = `SELECT item_id, ${columns} FROM (${all}) JOIN ${numbers} USING (item) ORDER BY item`
    await this.db.writeParquet(ordered, path, 20_480)
  }
}
