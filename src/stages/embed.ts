/** The Representation Center: one content vector for each item, extracted in batch by ONNX Runtime. */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointFolder, type ModelFolder, readModelFolder } from '../checkpoint/model.js'
import type { EmbedConfig } from '../config/embed.js'
import { decodeAll, type PictureInput, pathBelow } from '../data/decode.js'
import { Database, literal } from '../data/duckdb.js'
import { EmbeddingWriter } from '../data/embeddings.js'
import { type Items, itemNumbers, loadItems } from '../data/items.js'
import { type Rejected, refuseBroken } from '../data/pictures.js'
import { prefetch } from '../data/prefetch.js'
import { findTable } from '../data/table.js'
import { textEncoder } from '../data/tokenizer.js'
import { UserError } from '../errors.js'
import { recoverFolder, replaceFolder } from '../files.js'
import { type EncoderShape, encoderShape } from '../models/encoder.js'
import { modalitiesSection } from '../report/index.js'
import { exportEncoder, ItemEncoder } from '../runtime/encoder.js'
import type { Run } from '../train/run.js'
import { showNeighbours } from './gallery.js'

/** Where the published table lies in the run folder. */
export const tableFolder = 'embeddings'

export async function embed(config: EmbedConfig, run: Run): Promise<Record<string, unknown>> {
  const started = Date.now()
  const { data } = config
  if (!config.checkpoint) {
    throw new UserError({
      id: 'checkpoint-missing',
      what: 'no checkpoint was given',
      remedy: 'add --checkpoint FOLDER',
    })
  }
  const model = readModelFolder(checkpointFolder(config.checkpoint))
  const shape = encoderShape(model)
  const db = await Database.open()
  const items = await loadItems(db, findTable(data.root, data.items), data.columns)
  const modelVersion = await versionOf(model.path)
  await exportEncoder(model.path, shape, run.path('onnx'))
  const text = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const encoder = await ItemEncoder.open(
    run.path('onnx'),
    { ...config, shape, text, preprocessing: model.preprocessing },
    (line) => run.say(line),
  )
  run.say(`provider: ${encoder.provider}`)

  recoverFolder(run.path(tableFolder))
  const known = await knownHashes(db, run.path(tableFolder), modelVersion, items)
  const writer = await EmbeddingWriter.open(db)
  const bar = run.terminal.bar('items', items.count)
  const counts = { computed: 0, unchanged: 0, empty: 0 }
  const rejected: Rejected[] = []
  for await (const piece of prefetch(pieces(items, known, model, shape, config), 2)) {
    counts.unchanged += piece.unchanged.length
    counts.empty += piece.empty
    rejected.push(...piece.rejected)
    counts.computed += piece.rows.length
    for (const item of piece.unchanged) writer.keep(item)
    for (let from = 0; from < piece.rows.length; from += config.batch) {
      const rows = piece.rows.slice(from, from + config.batch)
      const titles = rows.map((row) => items.titles[row])
      const vectors = await encoder.encode(piece.pictures.slice(from, from + config.batch), titles)
      for (const [i, item] of rows.entries()) writer.add({ item, ...vectors[i], contentHash: piece.hashes[from + i] })
    }
    bar.update(piece.end)
    if (run.isInterrupted) throw run.interruption()
  }
  bar.stop()
  refuseBroken(rejected, items.pictures, data.maxBadImages)
  await replaceFolder(run.path(tableFolder), (folder) =>
    writer.publish(join(folder, 'part-00000.parquet'), itemNumbers, modelVersion, run.path(tableFolder)),
  )
  await encoder.close()
  const seconds = (Date.now() - started) / 1000
  const modalities = await countModalities(db, run.path(tableFolder))
  await run.show(() => modalitiesSection({ ...modalities, skipped: counts.empty }))
  await run.show(() => showNeighbours(db, items, data, run.path(tableFolder)))
  db.close()
  return {
    items: items.count,
    ...counts,
    broken: rejected.length,
    ...modalities,
    width: shape.fusion ?? shape.config.projection,
    model_version: modelVersion,
    provider: encoder.provider,
    table: run.path(tableFolder),
    seconds,
    items_per_second: counts.computed / seconds,
  }
}

/** Items of the published table by what their vectors are made of. */
async function countModalities(db: Database, table: string) {
  const counts = await db.row<Record<'both' | 'picture_only' | 'title_only', bigint>>(
    `SELECT count(*) FILTER (image_embedding IS NOT NULL AND text_embedding IS NOT NULL) AS both,
       count(*) FILTER (text_embedding IS NULL) AS picture_only, count(*) FILTER (image_embedding IS NULL) AS title_only
     FROM read_parquet(${literal(join(table, '*.parquet'))})`,
  )
  return { both: Number(counts.both), picture_only: Number(counts.picture_only), title_only: Number(counts.title_only) }
}

/** Names the weights and all that decides what they make of an item. */
async function versionOf(checkpoint: string): Promise<string> {
  const hash = createHash('sha256')
  const decides = /\.safetensors$|^(config|mim|preprocessor_config|tokenizer|tokenizer_config)\.json$/
  for (const name of readdirSync(checkpoint)
    .filter((n) => decides.test(n))
    .sort()) {
    hash.update(name)
    for await (const bytes of createReadStream(join(checkpoint, name))) hash.update(bytes as Buffer)
  }
  return hash.digest('hex').slice(0, 16)
}

/** Content hashes of the items that an earlier table of the same model has, by dense number; '' elsewhere. */
async function knownHashes(db: Database, table: string, modelVersion: string, items: Items): Promise<string[]> {
  const hashes = new Array<string>(items.count).fill('')
  if (!existsSync(table)) return hashes
  const old = `read_parquet(${literal(join(table, '*.parquet'))})`
  const { item, hash } = await db.columns(
    `SELECT n.item, o.content_hash AS hash FROM ${old} o JOIN ${itemNumbers} n USING (item_id)
     WHERE o.model_version = ${literal(modelVersion)}`,
    { item: 'int32', hash: 'string' },
  )
  item.forEach((number, i) => {
    hashes[number] = hash[i] ?? ''
  })
  return hashes
}

interface Piece {
  /** Items whose vectors are to be computed, with their content hashes. */
  rows: number[]
  hashes: string[]
  /** Decoded pictures of `rows`; null where there is none. */
  pictures: (Uint8Array | null)[]
  unchanged: number[]
  /** Items with neither picture nor title. */
  empty: number
  /** Pictures that could not be read, by the item's number. */
  rejected: Rejected[]
  /** Items seen up to the end of this piece. */
  end: number
}

/** Reads the catalogue piece by piece and decodes the pictures of what is new or changed. */
async function* pieces(
  items: Items,
  known: string[],
  { preprocessing }: ModelFolder,
  { config }: EncoderShape,
  { data }: EmbedConfig,
): AsyncGenerator<Piece> {
  const options = { size: config.vision.imageSize, fit: preprocessing.fit, maxPixels: data.maxImagePixels }
  const { folder } = items.pictures
  let end = 0
  for await (const pictures of items.pictures.read()) {
    const from = end
    end += pictures.length
    const bytes = await Promise.all(pictures.map((picture) => readPicture(picture, folder)))
    const hashes = bytes.map((b, i) => contentHash(items.titles[from + i], b))
    const rows = pictures.map((_, i) => from + i)
    const changed = rows.filter((row) => known[row] !== hashes[row - from])
    const decoded = await decodeAll(
      changed.map((row) => bytes[row - from]),
      folder,
      options,
    )
    const usable = changed.map((row, i) => ({ row, picture: decoded[i] instanceof Uint8Array ? decoded[i] : null }))
    const full = usable.filter(({ row, picture }) => picture !== null || items.titles[row] !== null)
    yield {
      rows: full.map(({ row }) => row),
      hashes: full.map(({ row }) => hashes[row - from]),
      pictures: full.map(({ picture }) => picture),
      unchanged: rows.filter((row) => known[row] === hashes[row - from]),
      empty: usable.length - full.length,
      rejected: decoded.flatMap((d, i) => (d instanceof Error ? [{ index: changed[i], reason: d.message }] : [])),
      end,
    }
  }
}

/** The bytes of a picture; a path that cannot be read gives no bytes, which do not decode. */
async function readPicture(picture: PictureInput | null, folder: string): Promise<Uint8Array | null> {
  if (typeof picture !== 'string') return picture
  try {
    return await readFile(pathBelow(folder, picture))
  } catch {
    return new Uint8Array()
  }
}

function contentHash(title: string | null, picture: Uint8Array | null): string {
  const hash = createHash('sha256')
    .update(title ?? '')
    .update('\0')
  return (picture ? hash.update(picture) : hash).digest('hex').slice(0, 32)
}
