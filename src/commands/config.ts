import { explain } from '../config/explain.js'
import { loadConfig } from '../config/load.js'
import { schemas } from '../config/schemas.js'
import type * as declarations from './declarations.js'
import type { OptionsOf } from './options.js'

export async function run(stage: keyof typeof schemas, flags: OptionsOf<typeof declarations.config>): Promise<void> {
  const schema = schemas[stage]
  process.stdout.write(explain(schema, loadConfig(schema, { file: flags.config, stage, sets: flags.set })))
}
