import type { EmbedConfig } from '../../config/embed.js'
import type { Shard } from '../../data/items/shard.js'
import { openItemStream } from '../../data/items/stream.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { Terminal } from '../../train/terminal.js'
import { compareWith, openOlder } from './compare.js'
import { describeTable, openCheckpoint } from './describe.js'
import { survey } from './items.js'

/** How many items `mim embed` would compute, copy and drop; nothing is written. Broken pictures are not looked for. */
export async function planEmbed(
  config: EmbedConfig,
  published: string,
  shard?: Shard,
): Promise<Record<string, number>> {
  const terminal = new Terminal()
  const model = await openCheckpoint(config.checkpoint, terminal)
  const db = await Database.open()
  const stream = await openItemStream(db, findTable(config.data.root, config.data.items), config.data.columns, shard)
  const description = await describeTable(config, model, stream)
  const older = openOlder(published, description, (line) => terminal.say(line))
  const counts = { items: stream.count, new: 0, changed: 0, unchanged: 0, empty: 0 }
  const bar = terminal.bar('items', stream.count)
  let [done, known] = [0, 0]
  for await (const { fates, titles, pictures } of survey(
    stream,
    config.data.allowOutside,
    compareWith(older, undefined),
  )) {
    for (const [i, fate] of fates.entries()) {
      if (fate === 'changed' || fate === 'unchanged') known++
      if (titles[i] === null && pictures[i] === null) counts.empty++
      else if (fate !== 'known') counts[fate]++
    }
    done += fates.length
    bar.update(done)
  }
  bar.stop()
  // Of the items that a shard lacks only the merge knows which are gone.
  const gone: Record<string, number> = shard ? {} : { gone: (older?.manifest.rows ?? 0) - known }
  older?.close()
  db.close()
  return { ...counts, ...gone }
}
