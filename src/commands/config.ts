import { explain } from '../config/explain.js'
import { loadConfig } from '../config/load.js'
import { schemas } from '../config/schemas.js'

export async function run(stage: keyof typeof schemas, flags: { config?: string; set: string[] }): Promise<void> {
  const schema = schemas[stage]
  process.stdout.write(explain(schema, loadConfig(schema, { file: flags.config, sets: flags.set })))
}
