import { checkFolder } from '../../base/places.js'
import { gridConfig } from '../../config/grid.js'
import { loadConfig } from '../../config/load.js'
import { grid, gridTable } from '../../studies/grid.js'
import { Terminal } from '../../train/terminal.js'
import type { OptionsOf } from '../options.js'
import { environmentEngine } from '../stageCommand.js'
import type * as declarations from './declarations.js'

export async function run(flags: OptionsOf<typeof declarations.grid>): Promise<void> {
  const { config: file, set, out, json, ...forAll } = flags
  const config = loadConfig(gridConfig, { file, stage: 'grid', sets: set })
  checkFolder(out, '--out')
  const terminal = new Terminal()
  const engine = forAll.engine ?? environmentEngine()
  const result = await grid(config, out, { ...forAll, engine }, (line) => terminal.say(line))
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : gridTable(result))
}
