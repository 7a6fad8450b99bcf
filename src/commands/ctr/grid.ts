import { gridConfig } from '../../config/grid.js'
import { loadConfig } from '../../config/load.js'
import { grid, gridTable } from '../../studies/grid.js'
import { Terminal } from '../../train/terminal.js'
import { environmentEngine } from '../stageCommand.js'

/** Options of the commands below `mim ctr` that train. */
export interface TrialsFlags {
  config?: string
  set: string[]
  data?: string
  out: string
  engine?: string
  device?: string
  json?: boolean
}

export async function run({ config: file, set, out, json, ...flags }: TrialsFlags): Promise<void> {
  const config = loadConfig(gridConfig, { file, sets: set })
  const terminal = new Terminal()
  const result = await grid(config, out, { ...flags, engine: flags.engine ?? environmentEngine() }, (line) =>
    terminal.say(line),
  )
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : gridTable(result))
}
