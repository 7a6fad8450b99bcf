/** The parts of a sharded extraction, made into one published table. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { recoverFolder } from '../../base/files.js'
import type { Shard } from '../../data/items/shard.js'
import { modalitiesSection } from '../../report/index.js'
import { Cursor, EmbeddingTable, flags, type Id, mergedRows, recoverTable, tableFolder } from '../../store/index.js'
import type { Run } from '../../train/run.js'
import { openOlder, tableDifferences } from './compare.js'
import type { Description } from './describe.js'
import { partFolder, publish } from './publish.js'

/** Folder of the shards' run folders, below the run folder of the table. */
export const shardsFolder = 'shards'

export const shardName = ({ index, count }: Shard) => `${index}-of-${count}`

export interface MergeOptions {
  keepMissing: boolean
  keepTables: number
}

/**
 * Publishes the rows of all shards below the run folder.
 * @throws UserError `shards-missing`, `shard-twice`, `shard-differs` and `duplicate-id`, each with names.
 */
export async function mergeShards(
  { keepMissing, keepTables }: MergeOptions,
  run: Run,
): Promise<Record<string, unknown>> {
  const started = Date.now()
  const parts = openParts(run.path(shardsFolder))
  const { shard: _shard, rows: _rows, ...description } = parts[0].table.manifest
  const published = run.path(tableFolder)
  recoverTable(published)
  const older = openOlder(published, description, (line) => run.say(line))
  const tables = parts.map(({ table }) => table)
  const cursors = [...tables, ...(older ? [older] : [])].map(({ ids, rows }) => new Cursor(ids, rows))
  const counts = { items: 0, empty: 0, gone: 0 }
  const chunks = mergedRows(
    cursors,
    (at, id) => {
      const found = parts.filter((_, i) => at[i])
      if (found.length > 1) throw twice(id, found)
      if (found.length === 0) {
        counts.gone++
        return keepMissing ? at[parts.length] : undefined
      }
      const fresh = at[parts.indexOf(found[0])]!
      counts.items++
      if (fresh.flags & flags.embedding) return fresh
      counts.empty++
      return undefined
    },
    tables[0].rows,
  )
  const expected = tables.reduce((rows, { manifest }) => rows + manifest.rows, 0)
  const result = await publish(run, published, chunks, { description, expected, keep: keepTables })
  for (const table of [...tables, ...(older ? [older] : [])]) table.close()
  await run.show(() => modalitiesSection({ ...result, skipped: counts.empty }))
  return {
    shards: parts.length,
    ...counts,
    ...result,
    width: description.widths.embedding,
    model_version: description.model_version,
    seconds: (Date.now() - started) / 1000,
  }
}

interface Part {
  name: string
  shard: Shard & { catalogue: string }
  table: EmbeddingTable
}

/** Opens the parts and checks that they are all there and of one kind. */
function openParts(folder: string): Part[] {
  const names = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => /^\d+-of-\d+$/.test(name)).sort()
  const parts = names.flatMap((name): Part[] => {
    const place = join(folder, name, partFolder)
    recoverFolder(place)
    if (!existsSync(place)) return []
    const table = EmbeddingTable.open(place)
    const { shard } = table.manifest
    return shard ? [{ name, shard, table }] : []
  })
  const [first] = parts
  if (!first) {
    const remedy = 'run mim embed --shard INDEX/COUNT for each'
    throw new UserError({ id: 'shards-missing', where: folder, what: 'no finished shard is here', remedy })
  }
  for (const part of parts) requireAlike(first, part, folder)
  const { count } = first.shard
  const missing = Array.from({ length: count }, (_, i) => i).filter(
    (i) => !parts.some(({ shard }) => shard.index === i),
  )
  for (const { shard, name } of parts) {
    const another = parts.find((other) => other.name !== name && other.shard.index === shard.index)
    if (!another) continue
    const what = `shard ${shard.index} of ${count} is there twice: ${name} and ${another.name}`
    throw new UserError({ id: 'shard-twice', where: folder, what, remedy: 'remove one and run the right shard' })
  }
  if (missing.length > 0) {
    const what = `unfinished or absent: ${missing.map((index) => shardName({ index, count })).join(', ')}`
    const remedy = 'run mim embed --shard for each'
    throw new UserError({ id: 'shards-missing', where: folder, what, expected: `all ${count} shards`, remedy })
  }
  return parts
}

function requireAlike(first: Part, part: Part, folder: string): void {
  const differences = tableDifferences(first.table.manifest as Description, part.table.manifest)
  for (const name of ['lists', 'safetensors'] as const) {
    const [ours, theirs] = [first, part].map(({ table }) => table.manifest[name])
    if (ours !== theirs) differences.push(`${name} ${theirs}, not ${ours}`)
  }
  if (part.shard.count !== first.shard.count) differences.push(`${part.shard.count} shards, not ${first.shard.count}`)
  if (part.shard.catalogue !== first.shard.catalogue) differences.push('other items in the catalogue')
  if (differences.length === 0) return
  throw new UserError({
    id: 'shard-differs',
    where: join(folder, part.name),
    what: `${differences.join('; ')}, which is what ${first.name} has`,
    expected: 'shards of one model and one catalogue',
    remedy: 'run it again, or remove what is left of another extraction',
  })
}

function twice(id: Id, [one, other]: Part[]): UserError {
  const what = `item ${id} is in ${one.name} and in ${other.name}`
  return new UserError({ id: 'duplicate-id', what, expected: 'each id once', remedy: 'run both shards again' })
}
