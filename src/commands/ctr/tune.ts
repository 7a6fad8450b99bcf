import { loadConfig } from '../../config/load.js'
import { tuneConfig } from '../../config/tune.js'
import { tune, tuneTable } from '../../studies/tune.js'
import { Terminal } from '../../train/terminal.js'
import { environmentEngine } from '../stageCommand.js'
import type { TrialsFlags } from './grid.js'

type Flags = TrialsFlags & { trials?: number; time?: string }

export async function run({ config: file, set, out, json, trials, time, ...flags }: Flags): Promise<void> {
  const config = loadConfig(tuneConfig, { file, sets: set, flags: { trials, time } })
  const terminal = new Terminal()
  const result = await tune(config, out, { ...flags, engine: flags.engine ?? environmentEngine() }, (line) =>
    terminal.say(line),
  )
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : tuneTable(result))
}
