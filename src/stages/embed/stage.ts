/**
 * The Representation Center: one content vector for each item, extracted in batch by ONNX Runtime. The catalogue
 * streams through, whatever its size; vectors go to their place on disk as they come; the table is published whole.
 */
import { rmSync } from 'node:fs'
import sharp from 'sharp'
import { UserError } from '../../base/errors.js'
import { mapAhead } from '../../base/prefetch.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import type { EmbedConfig } from '../../config/embed.js'
import type { Shard } from '../../data/items/shard.js'
import { type ItemStream, openItemStream } from '../../data/items/stream.js'
import { writeRejectedIds } from '../../data/pictures/rejected.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { type EncoderShape, encoderShape } from '../../models/encoder.js'
import { modalitiesSection } from '../../report/index.js'
import { fittingBatch } from '../../runtime/batch.js'
import { exportEncoder } from '../../runtime/encoder.js'
import { EncoderLanes } from '../../runtime/lanes.js'
import type { Encoded } from '../../runtime/laneThread.js'
import {
  type Chunk,
  Cursor,
  EmbeddingTable,
  flags,
  type Id,
  mergedRows,
  recoverTable,
  tableFolder,
} from '../../store/index.js'
import type { Run } from '../../train/run.js'
import { compareWith, openOlder } from './compare.js'
import { describeTable, encoderSetup, openCheckpoint } from './describe.js'
import { type Batch, batches, survey } from './items.js'
import { showNeighbors } from './neighbors.js'
import { publish, writePart } from './publish.js'
import { EmbedWork } from './work.js'

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
  const model = await openCheckpoint(config.checkpoint, run.terminal)
  const db = await Database.open()
  const path = findTable(config.data.root, config.data.items)
  const stream = await openItemStream(db, path, config.data.columns, shard)
  const description = await describeTable(config, model, stream)
  recoverTable(published)
  const older = openOlder(published, description, (line) => run.say(line))
  const lanes = await openLanes(config, model, run)

  const purpose = { model: description.model_version, older: older?.folder }
  const work = await EmbedWork.open(run.path('work'), stream, description, purpose)
  const counts: Counts = { computed: 0, unchanged: 0, resumed: 0, empty: 0, broken: 0 }
  const rejected: Rejected[] = []
  const bar = run.terminal.bar('items', stream.count)
  const size = config.batch === 'auto' ? await tryBatches(lanes, encoderShape(model), run) : config.batch
  const surveyed = survey(stream, config.data.allowOutside, compareWith(older, work))
  // Two batches for each lane: one that it encodes, one whose pictures it decodes.
  const results = mapAhead(batches(surveyed, size), 2 * lanes.count, async (batch) => {
    const pictures = batch.items.map(({ picture }) => picture)
    const titles = batch.items.map(({ title }) => title)
    return { batch, encoded: batch.items.length === 0 ? [] : await lanes.encode(pictures, titles) }
  })
  for await (const { batch, encoded } of results) {
    const broken = keep(batch, encoded, work, counts)
    rejected.push(...broken)
    refuseBroken(broken, counts.broken, stream, config, run)
    bar.update(counts.computed + counts.unchanged + counts.resumed + counts.empty)
    if (run.isInterrupted) throw run.interruption()
  }
  bar.stop()
  await writeRejectedIds(db, stream.idType, rejected, run.path('rejected.parquet'))
  await lanes.close()

  let gone = 0
  const isKept = () => {
    gone++
    return config.keepMissing
  }
  const result = shard
    ? await writePart(run, joined(work, older), description)
    : await publish(run, published, joined(work, older, isKept), {
        description,
        expected: stream.count,
        keep: config.keepTables,
      })
  if (!shard) {
    await run.show(() => modalitiesSection({ ...result, skipped: counts.empty }))
    const table = EmbeddingTable.open(published)
    await run.show(() => showNeighbors(db, { ...config.data, path }, table))
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
    provider: lanes.provider,
    lanes: lanes.count,
    seconds,
    items_per_second: counts.computed / seconds,
    peak_memory_mb: process.resourceUsage().maxRSS / 1024,
  }
}

async function openLanes(config: EmbedConfig, model: ModelFolder, run: Run): Promise<EncoderLanes> {
  const setup = encoderSetup(config, model, run.path('onnx'))
  await exportEncoder(model.path, setup.shape, setup.folder, config.precision)
  const lanes = await EncoderLanes.open(setup, (line) => run.say(line))
  run.say(`provider: ${lanes.provider}; encoders side by side: ${lanes.count}`)
  return lanes
}

/** Pictures and titles of no meaning: what they are does not change what they cost. */
async function tryBatches(lanes: EncoderLanes, { config }: EncoderShape, run: Run): Promise<number> {
  const side = config.vision.imageSize
  const blank = { width: side, height: side, channels: 3, background: '#808080' } as const
  const picture = new Uint8Array(await sharp({ create: blank }).png().toBuffer())
  let titles = 0
  const encode = (items: number) =>
    lanes.encode(
      Array.from({ length: items }, () => picture),
      // Each another title, for equal ones would be encoded once.
      Array.from({ length: items }, () => String(titles++)),
    )
  const { size, reason } = await fittingBatch(async (items) => {
    await Promise.all(Array.from({ length: lanes.count }, () => encode(items)))
  })
  run.say(`batch: ${size}; ${reason}`)
  return size
}

type Counts = Record<'computed' | 'unchanged' | 'resumed' | 'empty' | 'broken', number>

interface Rejected {
  id: Id
  path: string | null
  reason: string
}

/** Puts vectors to their places, and counts; returns the broken pictures. */
function keep({ items, unchanged, known }: Batch, encoded: Encoded[], work: EmbedWork, counts: Counts): Rejected[] {
  const broken: Rejected[] = []
  for (const row of unchanged) work.keep(row)
  for (const [i, { vectors, broken: reason }] of encoded.entries()) {
    const { id, row, path, hash } = items[i]
    if (reason !== undefined) broken.push({ id, path, reason })
    if (vectors) work.put(row, vectors, hash, reason !== undefined)
    else work.leaveOut(row)
    counts[vectors ? 'computed' : 'empty']++
  }
  counts.unchanged += unchanged.length
  counts.resumed += known
  counts.broken += broken.length
  return broken
}

/** @throws UserError `pictures-bad` when more than the allowed share of the catalogue's pictures is broken. */
function refuseBroken(
  broken: readonly Rejected[],
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
