import type { EmbedConfig } from '../../config/embed.js'
import type { Shard } from '../../data/items/shard.js'
import { openItemStream } from '../../data/items/stream.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { Terminal } from '../../train/terminal.js'
import { compareWith, openOlder } from './compare.js'
import { describeTable, openCheckpoint } from './describe.js'
import { compareItems } from './items.js'

/** How many items `mim embed` would compute, copy and drop. Writes nothing and does not decode pictures. */
export async function planEmbed(config: EmbedConfig, path: string, shard?: Shard): Promise<Record<string, number>> {
  const terminal = new Terminal()
  const model = await openCheckpoint(config.checkpoint, terminal)
  using db = await Database.open()
  const stream = await openItemStream(db, findTable(config.data.root, config.data.items), config.data.columns, shard)
  const description = await describeTable(config, model, stream)
  using older = openOlder(path, description, config.keepMissing, (line) => terminal.say(line))
  const counts = { items: stream.count, new: 0, changed: 0, unchanged: 0, empty: 0 }
  const bar = terminal.bar('items', stream.count)
  let [done, published] = [0, 0]
  for await (const { statuses, titles, pictures } of compareItems(
    stream,
    config.data.allowOutside,
    compareWith(older, undefined),
  )) {
    for (const [i, status] of statuses.entries()) {
      if (status === 'changed' || status === 'unchanged') published++
      if (titles[i] === null && pictures[i] === null) counts.empty++
      else if (status !== 'resumed') counts[status]++
    }
    done += statuses.length
    bar.update(done)
  }
  bar.stop()
  // Only the merge knows which items are gone: those that are in no shard.
  const gone: Record<string, number> = shard ? {} : { gone: (older?.manifest.rows ?? 0) - published }
  return { ...counts, ...gone }
}
