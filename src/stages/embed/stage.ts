/**
 * Computes one content vector per item in batches with ONNX Runtime. The catalogue is streamed, so it may be larger
 * than memory; vectors are written to disk as they come, and the finished table is published in one step.
 */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { requireDisk } from '../../base/capacity.js'
import { mapAhead } from '../../base/prefetch.js'
import type { EmbedConfig } from '../../config/embed.js'
import { DataFacts } from '../../data/facts.js'
import type { Shard } from '../../data/items/shard.js'
import { type ItemStream, openItemStream } from '../../data/items/stream.js'
import type { DecodeOptions } from '../../data/pictures/decode.js'
import { brokenWarning, type Judged, RejectedList, rejectedFile, tooManyBroken } from '../../data/pictures/rejected.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { modalitiesSection } from '../../report/index.js'
import { pictureOptions } from '../../runtime/encoder.js'
import type { EncoderLanes } from '../../runtime/lanes.js'
import type { Encoded } from '../../runtime/laneThread.js'
import {
  type Chunk,
  Cursor,
  EmbeddingTable,
  flags,
  mergedRows,
  recoverTable,
  tableFolder,
  vectorProblem,
} from '../../store/index.js'
import type { Run } from '../../train/run.js'
import { compareWith, openOlder } from './compare.js'
import { type Description, describeTable, encoderSetup, openCheckpoint } from './describe.js'
import { type Batch, type BrokenPicture, batches, compareItems, retried } from './items.js'
import { chooseBatch, openLanes } from './lanes.js'
import { showNeighbors } from './neighbors.js'
import { publish, unusableVector, writePart } from './publish.js'
import { EmbedWork } from './work.js'

/**
 * Brings the table at `published` up to date with the catalogue. With `shard` it computes only this share of the rows,
 * which `mim embed merge` publishes.
 */
export async function embed(
  config: EmbedConfig,
  run: Run,
  { published = run.path(tableFolder), shard }: { published?: string; shard?: Shard } = {},
): Promise<Record<string, unknown>> {
  const started = Date.now()
  const model = await openCheckpoint(config.checkpoint, run.terminal, (warning) => run.warn(warning))
  using db = await Database.open()
  const path = findTable(config.data.root, config.data.items)
  const facts = new DataFacts()
  const stream = await openItemStream(db, path, config.data.columns, shard, facts)
  run.tell(facts)
  const description = await describeTable(config, model, stream)
  recoverTable(published)
  using older = openOlder(published, description, config.keepMissing, (line) => run.say(line))
  const hasVectors = older !== undefined || existsSync(run.path('work'))
  requireTableSpace(stream, description, hasVectors, published)
  await using lanes = await openLanes(config, model, run)
  const purpose = { model: description.model_version, older: older?.folder }
  using work = await EmbedWork.open(run.path('work'), stream, description, purpose, (line) => run.say(line))

  const batch = config.batch === 'auto' ? await chooseBatch(lanes, model, run) : config.batch
  const decoding = pictureOptions(encoderSetup(config, model, run.path('onnx')))
  using rejected = await RejectedList.open(stream.idType, run.path('spill'))
  const counts = await encodeItems(config, run, { stream, older, work, lanes, batch, decoding, rejected })
  await checkBroken(rejected, counts.pictures, stream, config, run)
  // Frees their memory before the table is written.
  await lanes.close()

  let gone = 0
  const keepsMissing = () => {
    gone++
    return config.keepMissing
  }
  const result = shard
    ? await writePart(run, newRows(work, older), description)
    : await publish(run, published, newRows(work, older, keepsMissing), {
        description,
        expected: stream.count,
        keep: config.keepTables,
      })
  if (!shard) await showTable(db, run, published, { ...config.data, path }, { ...result, skipped: counts.empty })
  work.remove()
  const seconds = (Date.now() - started) / 1000
  return {
    items: stream.count,
    batch,
    ...counts,
    broken: rejected.count,
    ...(shard ? {} : { gone }),
    ...result,
    width: description.widths.embedding,
    model_version: description.model_version,
    provider: lanes.provider,
    lanes: lanes.count,
    seconds,
    items_per_second: counts.computed / seconds,
    peak_memory_mb: process.resourceUsage().maxRSS / 1024,
  }
}

/**
 * Refuses a table that the disk has no space for: its rows, and while they are computed the vectors of the work folder.
 * A work folder that is there, or an older table with the same vectors, may have them already.
 * @throws UserError `disk`
 */
function requireTableSpace(stream: ItemStream, { widths, type }: Description, hasVectors: boolean, path: string) {
  const perVector = widths.embedding * ((type === 'int8' ? 1 : 4) + (hasVectors ? 0 : 4))
  const remedy = 'use --type int8, a lower --dim, or another disk'
  requireDisk(stream.count * perVector, dirname(path), `vectors of ${stream.count} items`, remedy)
}

type Counts = Record<'pictures' | 'computed' | 'unchanged' | 'resumed' | 'empty', number>

interface Encoding {
  stream: ItemStream
  older: EmbeddingTable | undefined
  work: EmbedWork
  lanes: EncoderLanes
  /** Items per batch. */
  batch: number
  decoding: DecodeOptions
  rejected: RejectedList
}

/** Encodes all new and changed items and stores their vectors in `work`, their broken pictures in `rejected`. */
async function encodeItems(
  config: EmbedConfig,
  run: Run,
  { stream, older, work, lanes, batch: size, decoding, rejected }: Encoding,
): Promise<Counts> {
  const counts: Counts = { pictures: 0, computed: 0, unchanged: 0, resumed: 0, empty: 0 }
  const compared = retried(compareItems(stream, config.data.allowOutside, compareWith(older, work)), decoding)
  // Two batches per lane: it encodes one while it decodes the pictures of the next.
  const results = mapAhead(batches(compared, size), 2 * lanes.count, async (batch) => {
    const pictures = batch.items.map(({ picture }) => picture)
    const titles = batch.items.map(({ title }) => title)
    return { batch, encoded: batch.items.length === 0 ? [] : await lanes.encode(pictures, titles) }
  })
  const bar = run.terminal.bar('items', stream.count)
  for await (const { batch, encoded } of results) {
    await rejected.add(storeBatch(batch, encoded, work, counts, config.checkpoint))
    // Too many whatever follows: there are no more pictures than items.
    if (rejected.count > config.data.maxBadImages * stream.count)
      await checkBroken(rejected, counts.pictures, stream, config, run)
    bar.update(counts.computed + counts.unchanged + counts.resumed + counts.empty)
    if (run.isInterrupted) throw run.interruption()
  }
  bar.stop()
  return counts
}

/**
 * Stores the vectors of a batch and counts its items; returns the broken pictures.
 * @throws UserError `vector-not-usable` for a vector of `model` that is not finite, or zero
 */
function storeBatch(
  { items, pictures, broken, unchanged, resumed }: Batch,
  encoded: Encoded[],
  work: EmbedWork,
  counts: Counts,
  model: string,
): BrokenPicture[] {
  const all = [...broken]
  for (const row of unchanged) work.markUnchanged(row)
  for (const [i, { vectors, broken: reason }] of encoded.entries()) {
    const { id, row, path, hash } = items[i]
    if (reason !== undefined) all.push({ id, path, reason })
    const problem = vectors && [vectors.embedding, vectors.image, vectors.text].flatMap(problemOf)[0]
    if (problem) throw unusableVector(id, `a vector ${problem}`, model)
    if (vectors) work.write(row, vectors, hash, reason !== undefined)
    else work.markEmpty(row)
    counts[vectors ? 'computed' : 'empty']++
  }
  counts.pictures += pictures
  counts.unchanged += unchanged.length
  counts.resumed += resumed
  return all
}

const problemOf = (vector: Float32Array | null) => (vector && vectorProblem(vector)) ?? []

/**
 * Lists the broken pictures and warns of them.
 * @throws UserError `pictures-bad` or `picture-urls` when more than the allowed share of `pictures` is broken.
 */
async function checkBroken(
  rejected: RejectedList,
  pictures: number,
  { where }: ItemStream,
  { data }: EmbedConfig,
  run: Run,
): Promise<void> {
  const judged: Judged = { pictures, where, list: run.path(rejectedFile) }
  await rejected.write(judged.list!)
  if (rejected.count > data.maxBadImages * pictures) throw tooManyBroken(rejected, judged, data.maxBadImages)
  const warning = brokenWarning(rejected.counts, judged)
  if (warning) run.warn(warning)
}

/**
 * Rows of the new table: computed ones, and unchanged ones from the older table. With `keepsMissing`, called for each
 * item that the catalogue no longer has, these are the rows of a whole table. Without it they are the rows of a part,
 * which include rows without vectors: they say which items belong to the part.
 */
function newRows(work: EmbedWork, older: EmbeddingTable | undefined, keepsMissing?: () => boolean): Iterable<Chunk> {
  const sources = [work, ...(older ? [older] : [])].map(({ ids, rows }) => new Cursor(ids, rows))
  return mergedRows(
    sources,
    ([fresh, old]) => {
      if (!fresh) return keepsMissing?.() ? old : undefined
      if (fresh.flags & flags.unchanged) return old
      return keepsMissing && !(fresh.flags & flags.embedding) ? undefined : fresh
    },
    work.rows,
  )
}

/** Adds the published table to the report: items by modality, and nearest neighbors of random items. */
async function showTable(
  db: Database,
  run: Run,
  published: string,
  source: Parameters<typeof showNeighbors>[1],
  counts: Parameters<typeof modalitiesSection>[0],
): Promise<void> {
  await run.show(() => modalitiesSection(counts))
  using table = EmbeddingTable.open(published)
  await run.show(() => showNeighbors(db, source, table))
}
