import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { checkFile } from '../../base/places.js'
import { requireStage } from '../../base/runStage.js'
import { most } from '../../config/common.js'
import { readConfigFile } from '../../config/file.js'
import { providerNames } from '../../runtime/model.js'
import { predict } from '../../stages/ctr/predict.js'
import { Terminal } from '../../train/terminal.js'
import type { OptionsOf } from '../options.js'
import { print } from '../stageCommand.js'
import { tablePath } from '../tablePath.js'
import type * as declarations from './declarations.js'

/** Behaviors that `--explain` without a number adds. */
const defaultExplain = 5

export async function run(folder: string, flags: OptionsOf<typeof declarations.predict>): Promise<void> {
  const { out, data, impressions, behaviors, embeddings, json } = flags
  const provider = providerNames.find((name) => name === flags.provider)
  if (!provider) {
    const expected = providerNames.join(', ')
    throw new UserError({ id: 'option-value', what: `--provider ${flags.provider}`, expected })
  }
  requireStage(folder, ['ctr'])
  checkFile(out, '--out')
  const table = (option: string, path: string | undefined) =>
    path === undefined ? undefined : tablePath(option, path, { data, run: rootOf(folder) })
  const changes = {
    'data.root': data,
    'data.impressions': table('--impressions', impressions),
    'data.behaviors': table('--behaviors', behaviors),
    'data.embeddings': embeddings,
  }
  const explain = flags.explain === true ? defaultExplain : whole('--explain', flags.explain ?? 0, most.history)
  const threads = whole('--threads', flags.threads, most.threads)
  const done = await predict({ run: folder, out, changes, provider, explain, threads }, new Terminal())
  print(done, json)
}

/** data.root of the run; undefined if `folder` is none, which `predict` reports. */
function rootOf(folder: string): string | undefined {
  const file = join(folder, 'config.yaml')
  if (!existsSync(file)) return undefined
  const { data } = readConfigFile(file).tree as { data?: { root?: string } }
  return data?.root
}

function whole(name: string, value: number, greatest: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= greatest) return value
  const expected = `a whole number from 0 to ${greatest}`
  throw new UserError({ id: 'option-value', what: `${name} ${value}`, expected })
}
