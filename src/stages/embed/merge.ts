/** Merges the parts of a sharded extraction into one published table. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { recoverFolder } from '../../base/files.js'
import { Lock } from '../../base/processes/lock.js'
import { settleRun } from '../../base/replaced.js'
import { Resources } from '../../base/resources.js'
import type { Shard } from '../../data/items/shard.js'
import { brokenWarning, mergeRejected, rejectedFile, sumOf } from '../../data/pictures/rejected.js'
import { Database } from '../../data/tables/duckdb.js'
import { modalitiesSection } from '../../report/index.js'
import { Cursor, EmbeddingTable, flags, type Id, mergedRows, recoverTable, tableFolder } from '../../store/index.js'
import type { Run } from '../../train/run.js'
import { openOlder, tableDifferences } from './compare.js'
import type { Description } from './describe.js'
import { partFolder, publish } from './publish.js'

/** Folder of the shards' run folders within the run folder of the table. */
export const shardsFolder = 'shards'

export const shardName = ({ index, count }: Shard) => `${index}-of-${count}`

export interface MergeOptions {
  keepMissing: boolean
  keepTables: number
}

/**
 * Publishes the rows of all shards below the run folder.
 * @throws UserError `folder-locked`, `shards-missing`, `shard-twice`, `shard-differs` and `duplicate-id`, each with names.
 */
export async function mergeShards(
  { keepMissing, keepTables }: MergeOptions,
  run: Run,
): Promise<Record<string, unknown>> {
  const started = Date.now()
  using opened = new Resources()
  const parts = openParts(run.path(shardsFolder), opened)
  checkParts(parts, run.path(shardsFolder))
  const { shard: _shard, rows: _rows, files: _files, ...description } = parts[0].table.manifest
  const published = run.path(tableFolder)
  recoverTable(published)
  using older = openOlder(published, description, keepMissing, (line) => run.say(line))
  const tables = parts.map(({ table }) => table)
  const cursors = [...tables, ...(older ? [older] : [])].map(({ ids, rows }) => new Cursor(ids, rows))
  const counts = { items: 0, pictures: 0, empty: 0, gone: 0 }
  const chunks = mergedRows(
    cursors,
    (found, id) => {
      const withId = parts.filter((_, i) => found[i])
      if (withId.length > 1) throw duplicateId(id, withId)
      if (withId.length === 0) {
        counts.gone++
        return keepMissing ? found[parts.length] : undefined
      }
      const fresh = found[parts.indexOf(withId[0])]!
      counts.items++
      if (fresh.flags & flags.image) counts.pictures++
      if (fresh.flags & flags.embedding) return fresh
      counts.empty++
      return undefined
    },
    tables[0].rows,
  )
  const expected = tables.reduce((rows, { manifest }) => rows + manifest.rows, 0)
  const result = await publish(run, published, chunks, { description, expected, keep: keepTables })
  const broken = await mergeLists(parts, counts.pictures, run)
  await run.show(() => modalitiesSection({ ...result, skipped: counts.empty }))
  return {
    shards: parts.length,
    ...counts,
    pictures: counts.pictures + broken,
    broken,
    ...result,
    width: description.widths.embedding,
    model_version: description.model_version,
    seconds: (Date.now() - started) / 1000,
  }
}

/** Lists the broken pictures of all parts and warns of them; returns their number. `readable` are the other pictures. */
async function mergeLists(parts: readonly Part[], readable: number, run: Run): Promise<number> {
  using db = await Database.open()
  const lists = parts.map(({ name }) => run.path(shardsFolder, name, rejectedFile)).filter((file) => existsSync(file))
  const list = run.path(rejectedFile)
  const kinds = await mergeRejected(db, lists, list)
  const broken = sumOf(kinds)
  const warning = brokenWarning(kinds, { pictures: readable + broken, where: run.path(shardsFolder), list })
  if (warning) run.warn(warning)
  return broken
}

interface Part {
  name: string
  shard: Shard & { catalogue: string }
  table: EmbeddingTable
}

/**
 * Opens the finished parts and adds them to `opened`.
 * @throws UserError `shards-missing` where there is none, `folder-locked` where another process computes a shard.
 */
function openParts(folder: string, opened: Resources): Part[] {
  const names = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => /^\d+-of-\d+$/.test(name)).sort()
  const parts = names.flatMap((name): Part[] => {
    const path = join(folder, name, partFolder)
    recoverPart(join(folder, name))
    if (!existsSync(path)) return []
    const table = opened.use(EmbeddingTable.open(path))
    const { shard } = table.manifest
    return shard ? [{ name, shard, table }] : []
  })
  if (parts.length > 0) return parts
  const remedy = 'run mim embed --shard INDEX/COUNT for each shard'
  throw new UserError({ id: 'shards-missing', where: folder, what: 'there is no finished shard', remedy })
}

/** Completes what a killed process left of a shard. One that starts while parts are merged does not change open files. */
function recoverPart(shard: string): void {
  using _lock = Lock.folder(shard)
  settleRun(shard)
  recoverFolder(join(shard, partFolder))
}

/** Checks that all parts exist, once each, and belong together. */
function checkParts(parts: readonly Part[], folder: string): void {
  for (const part of parts) requireAlike(parts[0], part, folder)
  const { count } = parts[0].shard
  for (const { shard, name } of parts) {
    const another = parts.find((other) => other.name !== name && other.shard.index === shard.index)
    if (!another) continue
    const what = `shard ${shard.index} of ${count} exists twice: ${name} and ${another.name}`
    throw new UserError({ id: 'shard-twice', where: folder, what, remedy: 'remove one and run the right shard' })
  }
  const indexes = new Set(parts.map(({ shard }) => shard.index))
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !indexes.has(index))
  if (missing.length === 0) return
  const what = `unfinished or missing: ${missing.map((index) => shardName({ index, count })).join(', ')}`
  const remedy = 'run mim embed --shard for each'
  throw new UserError({ id: 'shards-missing', where: folder, what, expected: `all ${count} shards`, remedy })
}

function requireAlike(first: Part, part: Part, folder: string): void {
  const differences = tableDifferences(first.table.manifest as Description, part.table.manifest)
  for (const name of ['lists', 'safetensors'] as const) {
    const [expected, value] = [first, part].map(({ table }) => table.manifest[name])
    if (expected !== value) differences.push(`${name} ${value}, not ${expected}`)
  }
  if (part.shard.count !== first.shard.count) differences.push(`${part.shard.count} shards, not ${first.shard.count}`)
  if (part.shard.catalogue !== first.shard.catalogue) differences.push('other items in the catalogue')
  if (differences.length === 0) return
  throw new UserError({
    id: 'shard-differs',
    where: join(folder, part.name),
    what: `${differences.join('; ')}, as in ${first.name}`,
    expected: 'shards of one model and one catalogue',
    remedy: 'run this shard again, or remove it if it belongs to another extraction',
  })
}

function duplicateId(id: Id, [one, other]: Part[]): UserError {
  const what = `item ${id} is in ${one.name} and in ${other.name}`
  return new UserError({ id: 'duplicate-id', what, expected: 'each id once', remedy: 'run both shards again' })
}
