import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { checkFolder } from '../../base/places.js'
import { requireStage } from '../../base/runStage.js'
import { embedConfig } from '../../config/embed.js'
import { parseShard } from '../../data/items/shard.js'
import { mergeShards, shardName, shardsFolder } from '../../stages/embed/merge.js'
import { planEmbed } from '../../stages/embed/plan.js'
import { embed } from '../../stages/embed/stage.js'
import { tableFolder } from '../../store/index.js'
import { Run } from '../../train/run.js'
import type { OptionsOf } from '../options.js'
import { configOf, print, runStage } from '../stageCommand.js'
import type * as declarations from './declarations.js'

export async function run(flags: OptionsOf<typeof declarations.extract>): Promise<void> {
  const { checkpoint, provider, batch, dim, words, precision, type, keepMissing } = flags
  const own = { checkpoint, provider, batch, dim, words, precision, type, keepMissing }
  const published = join(flags.out, tableFolder)
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard, process.env)
  if (flags.dryRun) {
    print(await planEmbed(configOf('embed', embedConfig, flags, own), published, shard), flags.json)
    return
  }
  // Shards run at the same time, each in its own run folder.
  const out = shard ? join(flags.out, shardsFolder, shardName(shard)) : flags.out
  const work = (config: Parameters<typeof embed>[0], run: Run) => embed(config, run, { published, shard })
  await runStage('embed', embedConfig, { ...flags, out }, own, work, { repeatable: true })
}

export async function merge(flags: OptionsOf<typeof declarations.merge>): Promise<void> {
  const { out, json, keepMissing = false, keepTables } = flags
  requireStage(out, ['embed'], '--out')
  checkFolder(out, '--out')
  if (!Number.isInteger(keepTables) || keepTables < 1) {
    const what = `--keep-tables ${keepTables}`
    throw new UserError({ id: 'option-value', what, expected: 'a whole number, 1 or more' })
  }
  const options = { keepMissing, keepTables }
  const metrics = await Run.with({ out, stage: 'embed', config: { merge: options }, repeatable: true }, async (run) => {
    const results = await mergeShards(options, run)
    await run.finish(results)
    return results
  })
  print(metrics, json)
}
