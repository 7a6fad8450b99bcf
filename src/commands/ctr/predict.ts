import { UserError } from '../../base/errors.js'
import { providerNames } from '../../runtime/model.js'
import { predict } from '../../stages/ctr/predict.js'
import { Terminal } from '../../train/terminal.js'
import type { OptionsOf } from '../options.js'
import { print } from '../stageCommand.js'
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
  const changes = {
    'data.root': data,
    'data.impressions': impressions,
    'data.behaviors': behaviors,
    'data.embeddings': embeddings,
  }
  const explain = flags.explain === true ? defaultExplain : whole('--explain', flags.explain ?? 0)
  const threads = whole('--threads', flags.threads)
  const done = await predict({ run: folder, out, changes, provider, explain, threads }, new Terminal())
  print(done, json)
}

function whole(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value
  throw new UserError({ id: 'option-value', what: `${name} ${value}`, expected: 'a whole number, 0 or more' })
}
