import { join } from 'node:path'
import { embedConfig } from '../../config/embed.js'
import { parseShard } from '../../data/items/shard.js'
import { mergeShards, shardName, shardsFolder } from '../../stages/embed/merge.js'
import { planEmbed } from '../../stages/embed/plan.js'
import { embed } from '../../stages/embed/stage.js'
import { tableFolder } from '../../store/index.js'
import { Run } from '../../train/run.js'
import { configOf, print, runStage, type StageFlags } from '../stageCommand.js'

interface EmbedFlags extends StageFlags {
  checkpoint?: string
  provider?: string
  batch?: number
  dim?: number
  words?: number
  precision?: string
  type?: string
  keepMissing?: boolean
  dryRun?: boolean
  shard?: string
}

export async function run(flags: EmbedFlags): Promise<void> {
  const { checkpoint, provider, batch, dim, words, precision, type, keepMissing } = flags
  const own = { checkpoint, provider, batch, dim, words, precision, type, keepMissing }
  const published = join(flags.out, tableFolder)
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard, process.env)
  if (flags.dryRun) {
    print(await planEmbed(configOf(embedConfig, flags, own), published, shard), flags.json)
    return
  }
  // Shards run at once, each in a run folder of its own.
  const out = shard ? join(flags.out, shardsFolder, shardName(shard)) : flags.out
  const work = (config: Parameters<typeof embed>[0], run: Run) => embed(config, run, { published, shard })
  await runStage('embed', embedConfig, { ...flags, out }, own, work, { repeatable: true })
}

export async function merge({
  out,
  json,
  keepMissing,
  keepTables,
}: {
  out: string
  json?: boolean
  keepMissing?: boolean
  keepTables: number
}): Promise<void> {
  const options = { keepMissing: keepMissing ?? false, keepTables }
  const metrics = await Run.with({ out, stage: 'embed', config: { merge: options }, repeatable: true }, async (run) => {
    const results = await mergeShards(options, run)
    await run.finish(results)
    return results
  })
  print(metrics, json)
}
