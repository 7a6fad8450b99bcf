import { checkFolder } from '../../base/places.js'
import { loadConfig } from '../../config/load.js'
import { tuneConfig } from '../../config/tune.js'
import { tune, tuneTable } from '../../studies/tune.js'
import { Terminal } from '../../train/terminal.js'
import type { OptionsOf } from '../options.js'
import { environmentEngine } from '../stageCommand.js'
import type * as declarations from './declarations.js'

export async function run(flags: OptionsOf<typeof declarations.tune>): Promise<void> {
  const { config: file, set, out, json, trials, time, ...forAll } = flags
  const config = loadConfig(tuneConfig, { file, stage: 'tune', sets: set, flags: { trials, time } })
  checkFolder(out, '--out')
  const terminal = new Terminal()
  const engine = forAll.engine ?? environmentEngine()
  const result = await tune(config, out, { ...forAll, engine }, (line) => terminal.say(line))
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : tuneTable(result))
}
