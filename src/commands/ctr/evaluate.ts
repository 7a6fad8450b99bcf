import { join } from 'node:path'
import { limitIn, limitRule } from '../../base/capacity.js'
import { UserError } from '../../base/errors.js'
import { checkTemporary } from '../../base/places.js'
import { requireStage, runStage } from '../../base/runStage.js'
import { labelOf } from '../../metrics/index.js'
import { aligned, four } from '../../report/index.js'
import { type Evaluation, evaluate } from '../../studies/evaluate.js'
import type { OptionsOf } from '../options.js'
import type * as declarations from './declarations.js'

export async function run(path: string, flags: OptionsOf<typeof declarations.evaluate>): Promise<void> {
  const { json, ...options } = flags
  if (limitIn(options.memory) === undefined)
    throw new UserError({ id: 'option-value', what: `--memory ${options.memory}`, expected: limitRule })
  requireStage(path, ['ctr'])
  checkTemporary()
  // The test impressions of a run.
  const file = runStage(path) ? join(path, 'predictions.parquet') : path
  const evaluation = await evaluate({ path: file, ...options })
  process.stdout.write(json ? `${JSON.stringify(evaluation)}\n` : text(evaluation, options.group))
}

function text({ rows, positives, reliability, ...metrics }: Evaluation, group: string): string {
  const { gauc_groups, groups, ...values } = metrics
  const lines = [
    ['impressions', String(rows)],
    ['clicks', String(positives)],
    ...Object.entries(values).map(([name, value]) => [labelOf(name), four(value)]),
  ]
  const definition =
    `GAUC: mean of the AUC within each ${group}, weighted by impressions, over the ${gauc_groups} of ${groups} that ` +
    'have both clicks and non-clicks; ties count ½'
  const curve = reliability.map(({ predicted, observed, count }) => [four(predicted), four(observed), String(count)])
  return `${aligned(lines)}\n${definition}\n\n${aligned([['predicted', 'observed', 'impressions'], ...curve])}`
}
