/**
 * The Representation Center: one content vector for each item, extracted in batch by ONNX Runtime. The catalogue
 * streams through, whatever its size; vectors go to their place on disk as they come; the table is published whole.
 */
import { rmSync } from 'node:fs'
import type { ModelFolder } from '../checkpoint/model.js'
import type { EmbedConfig } from '../config/embed.js'
import type { Shard } from '../config/shard.js'
import { Database } from '../data/duckdb.js'
import { type ItemStream, openItemStream } from '../data/itemStream.js'
import { prefetch } from '../data/prefetch.js'
import { writeRejectedIds } from '../data/rejected.js'
import { findTable } from '../data/table.js'
import { textEncoder } from '../data/tokenizer.js'
import { UserError } from '../errors.js'
import { type EncoderShape, encoderShape } from '../models/encoder.js'
import { modalitiesSection } from '../report/index.js'
import { fittingBatch } from '../runtime/batch.js'
import { exportEncoder, ItemEncoder } from '../runtime/encoder.js'
import { type Chunk, Cursor, EmbeddingTable, flags, mergedRows, recoverTable } from '../store/index.js'
import type { Run } from '../train/run.js'
import { batches, type PreparedBatch, survey } from './embedItems.js'
import { publish, writePart } from './embedPublish.js'
import { compareWith, describeTable, openCheckpoint, openOlder, tableFolder } from './embedTable.js'
import { EmbedWork } from './embedWork.js'
import { showNeighbours } from './neighbours.js'

/**
 * Brings the table at `published` up to date with the catalogue; with `shard` only computes this share of the
 * rows, which `mim embed merge` publishes.
 */
export async function embed(
  config: EmbedConfig,
  run: Run,
  { published = run.path(tableFolder), shard }: { published?: string; shard?: Shard } = {},
): Promise<Record<string, unknown>> {
  const started = Date.now()
  const model = openCheckpoint(config.checkpoint)
  const shape = encoderShape(model)
  const db = await Database.open()
  const path = findTable(config.data.root, config.data.items)
  const stream = await openItemStream(db, path, config.data.columns, shard)
  const description = await describeTable(config, model, shape, stream)
  recoverTable(published)
  const older = openOlder(published, description, (line) => run.say(line))
  const encoder = await openEncoder(config, model, shape, run)

  const purpose = { model: description.model_version, older: older?.folder }
  const work = await EmbedWork.open(run.path('work'), stream, description, purpose)
  const counts = { computed: 0, unchanged: 0, resumed: 0, empty: 0, broken: 0 }
  const pictures = {
    size: shape.config.vision.imageSize,
    fit: model.preprocessing.fit,
    maxPixels: config.data.maxImagePixels,
  }
  const rejected: PreparedBatch['broken'] = []
  const bar = run.terminal.bar('items', stream.count)
  const size = config.batch === 'auto' ? await tryBatches(encoder, shape, run) : config.batch
  const surveyed = survey(stream, config.data.allowOutside, compareWith(older, work))
  for await (const batch of prefetch(batches(surveyed, size, pictures), 2)) {
    await extract(batch, encoder, work)
    counts.computed += batch.items.length
    counts.unchanged += batch.unchanged.length
    counts.resumed += batch.known
    counts.empty += batch.empty.length
    counts.broken += batch.broken.length
    rejected.push(...batch.broken)
    refuseBroken(batch, counts.broken, stream, config, run)
    bar.update(counts.computed + counts.unchanged + counts.resumed + counts.empty)
    if (run.isInterrupted) throw run.interruption()
  }
  bar.stop()
  await writeRejectedIds(db, stream.idType, rejected, run.path('rejected.parquet'))
  await encoder.close()

  let gone = 0
  const isKept = () => {
    gone++
    return config.keepMissing
  }
  const result = shard
    ? await writePart(run, joined(work, older), description)
    : await publish(run, published, joined(work, older, isKept), {
        db,
        description,
        expected: stream.count,
        keep: config.keepTables,
      })
  if (!shard) {
    await run.show(() => modalitiesSection({ ...result, skipped: counts.empty }))
    const table = EmbeddingTable.open(published)
    await run.show(() => showNeighbours(db, { ...config.data, path }, table))
    table.close()
  }
  older?.close()
  work.close()
  rmSync(run.path('work'), { recursive: true })
  db.close()
  const seconds = (Date.now() - started) / 1000
  return {
    items: stream.count,
    batch: size,
    ...counts,
    ...(shard ? {} : { gone }),
    ...result,
    width: description.widths.embedding,
    model_version: description.model_version,
    provider: encoder.provider,
    seconds,
    items_per_second: counts.computed / seconds,
  }
}

async function openEncoder(config: EmbedConfig, model: ModelFolder, shape: EncoderShape, run: Run) {
  const folder = run.path('onnx')
  await exportEncoder(model.path, shape, folder)
  const text = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
  const options = { ...config, shape, text, preprocessing: model.preprocessing }
  const encoder = await ItemEncoder.open(folder, options, (line) => run.say(line))
  run.say(`provider: ${encoder.provider}`)
  return encoder
}

/** Pictures and titles of no meaning: what they are does not change what they cost. */
async function tryBatches(encoder: ItemEncoder, { config }: EncoderShape, run: Run): Promise<number> {
  const picture = new Uint8Array(3 * config.vision.imageSize ** 2)
  let titles = 0
  const { size, reason } = await fittingBatch(async (items) => {
    // Each another title, for equal ones would be encoded once.
    await encoder.encode(
      Array.from({ length: items }, () => picture),
      Array.from({ length: items }, () => String(titles++)),
    )
  })
  run.say(`batch: ${size}; ${reason}`)
  return size
}

async function extract({ items, unchanged, empty }: PreparedBatch, encoder: ItemEncoder, work: EmbedWork) {
  for (const row of unchanged) work.keep(row)
  for (const row of empty) work.leaveOut(row)
  if (items.length === 0) return
  const vectors = await encoder.encode(
    items.map(({ picture }) => picture),
    items.map(({ title }) => title),
  )
  for (const [i, { row, hash, isBroken }] of items.entries()) work.put(row, vectors[i], hash, isBroken)
}

/** @throws UserError `pictures-bad` when more than the allowed share of the catalogue's pictures is broken. */
function refuseBroken(
  { broken }: PreparedBatch,
  total: number,
  { count, folder }: ItemStream,
  { data }: EmbedConfig,
  run: Run,
): void {
  for (const { id, reason } of broken) run.log.warn({ item_id: String(id), reason }, 'broken picture')
  if (broken.length === 0 || total <= data.maxBadImages * count) return
  const [{ id, reason }] = broken
  throw new UserError({
    id: 'pictures-bad',
    where: folder,
    what: `${total} of ${count} pictures are broken, the last that of item ${id}: ${reason}`,
    expected: `at most ${100 * data.maxBadImages} %`,
    remedy: 'repair them (log.jsonl lists them) or raise data.maxBadImages',
  })
}

/**
 * New rows and rows taken over, joined. With `isKept`, which decides about each item that is gone, a whole
 * table; without it a part: there rows without a vector say which items are of this part.
 */
function joined(work: EmbedWork, older: EmbeddingTable | undefined, isKept?: () => boolean): Iterable<Chunk> {
  const sources = [work, ...(older ? [older] : [])].map(({ ids, rows }) => new Cursor(ids, rows))
  return mergedRows(
    sources,
    ([fresh, old]) => {
      if (!fresh) return isKept?.() ? old : undefined
      if (fresh.flags & flags.unchanged) return old
      return isKept && !(fresh.flags & flags.embedding) ? undefined : fresh
    },
    work.rows,
  )
}
