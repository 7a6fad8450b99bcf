/** A grid of click models: every row is trained once per seed and compared with a base row. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import { Lock } from '../base/processes/lock.js'
import type { CtrConfig } from '../config/ctr.js'
import type { GridConfig } from '../config/grid.js'
import { writeRows } from '../data/tables/writeRows.js'
import { type Difference, labelOf, type ResampledMetric } from '../metrics/index.js'
import { comparedMetrics, interval, markdown, spread } from '../report/index.js'
import type { Metrics } from '../train/run.js'
import { differenceOf, readPredictions, type Summary, summaryOf } from './paired.js'
import { runTrial, slug, type TrialFlags, trialConfig } from './trial.js'

/** A row of the grid: means over seeds, and the gain over the base row on the same impressions. */
export type GridRow = Summary & {
  row: string
  /** Name of the content vectors; empty if the row has none. */
  vectors: string
  over_base?: Record<ResampledMetric, Difference>
}

export interface Grid {
  base: string
  rows: GridRow[]
}

interface Planned {
  row: string
  vectors: string
  runs: { folder: string; config: CtrConfig }[]
}

/**
 * Trains the unfinished runs in folders below `out`, then writes grid.json, grid.md and grid.parquet there. All
 * configurations are checked before the first run.
 * @throws UserError `grid-vectors` for a name missing in `vectors`, `grid-base`, `grid-names` for rows that would share
 * a folder, `folder-locked`, and the errors of `mim ctr`.
 */
export async function grid(
  config: GridConfig,
  out: string,
  flags: TrialFlags,
  say: (line: string) => void,
): Promise<Grid> {
  const planned = plan(config, out, flags)
  const base = baseOf(config, planned)
  using _lock = Lock.folder(out)
  const total = planned.length * config.seeds.length
  let done = 0
  const finished = new Map<Planned, { metrics: Metrics }[]>(planned.map((row) => [row, []]))
  // Seed by seed: a table of few seeds is available early.
  for (const i of config.seeds.keys()) {
    for (const row of planned) {
      say(`grid: run ${++done} of ${total}: ${nameOf(row)}, seed ${config.seeds[i]}`)
      const { folder, config: each } = row.runs[i]
      finished.get(row)!.push({ metrics: await runTrial(folder, each, `mim ctr grid … --out ${out}`) })
    }
  }
  const read = (row: Planned) =>
    readPredictions(
      nameOf(row),
      row.runs.map(({ folder }) => folder),
    )
  const ofBase = await read(base)
  const rows: GridRow[] = []
  for (const [planned, runs] of finished) {
    const row = { row: planned.row, vectors: planned.vectors, ...summaryOf(runs) }
    if (planned === base) rows.push(row)
    else {
      const own = await read(planned)
      const over = (metric: ResampledMetric) => differenceOf(metric, own, ofBase)
      rows.push({ ...row, over_base: { auc: over('auc'), gauc: over('gauc'), logloss: over('logloss') } })
    }
  }
  const result = { base: nameOf(base), rows }
  await writeJson(join(out, 'grid.json'), result)
  await replaceFile(join(out, 'grid.md'), (temporary) => writeFileSync(temporary, gridTable(result)))
  await writeTable(join(out, 'grid.parquet'), rows)
  return result
}

const nameOf = ({ row, vectors }: { row: string; vectors: string }) => (vectors ? `${row}, ${vectors}` : row)

/** Each run takes minutes. */
const mostRuns = 10_000

/** All rows with the configurations of their runs; a row with several content vectors becomes one row for each. */
function plan(config: GridConfig, out: string, flags: TrialFlags): Planned[] {
  const runs = config.seeds.length * config.rows.reduce((sum, { vectors }) => sum + Math.max(1, vectors.length), 0)
  if (runs > mostRuns) throw new UserError({ id: 'grid-size', what: `${runs} runs`, expected: `at most ${mostRuns}` })
  const planned = config.rows.flatMap((row) =>
    row.vectors.length === 0
      ? planRow(config, row, undefined, out, flags)
      : row.vectors.map((vectors) => planRow(config, row, vectors, out, flags)),
  )
  const folders = planned.map(({ runs }) => runs[0].folder)
  const duplicate = planned.find((_, i) => folders.indexOf(folders[i]) !== i)
  if (duplicate) {
    const [what, expected] = [`two rows are called '${nameOf(duplicate)}'`, 'names that differ in letters or digits']
    throw new UserError({ id: 'grid-names', what, expected })
  }
  return planned
}

function planRow(
  config: GridConfig,
  { name, set }: GridConfig['rows'][number],
  vectors: string | undefined,
  out: string,
  flags: TrialFlags,
): Planned {
  const tables = vectors === undefined ? [] : Object.hasOwn(config.vectors, vectors) && config.vectors[vectors]
  if (tables === false) {
    const expected = `a name in vectors: ${Object.keys(config.vectors).join(', ')}`
    throw new UserError({ id: 'grid-vectors', where: `row '${name}'`, what: `vectors '${vectors}'`, expected })
  }
  const runs = config.seeds.map((seed) => {
    const ofSeed = (path: string) => path.replaceAll('{seed}', String(seed))
    const paths = typeof tables === 'string' ? ofSeed(tables) : tables.map(ofSeed)
    const embeddings = vectors === undefined ? {} : { 'data.embeddings': paths }
    const folder = join(out, 'runs', slug(vectors === undefined ? name : `${name}-${vectors}`), `seed-${seed}`)
    const sets = { ...config.set, ...embeddings, ...set, seed }
    return { folder, config: trialConfig(`row '${name}'`, config.config, sets, flags) }
  })
  return { row: name, vectors: vectors ?? '', runs }
}

function baseOf({ base }: GridConfig, planned: Planned[]): Planned {
  const found = base === null ? planned[0] : planned.find((row) => row.row === base || nameOf(row) === base)
  if (found) return found
  const expected = planned.map(nameOf).join(' | ')
  throw new UserError({ id: 'grid-base', what: `base '${base}' is no row`, expected })
}

/** The grid as a Markdown table. */
export function gridTable({ base, rows }: Grid): string {
  const header = ['model', 'vectors', 'seeds', ...comparedMetrics.map(labelOf), `AUC − ${base} [95 % of users]`]
  const body = rows.map((row) => [
    row.row,
    row.vectors || '–',
    String(row.seeds),
    ...comparedMetrics.map((name) => spread(row[name], row[`${name}_sd`], row.seeds)),
    row.over_base ? interval(row.over_base.auc) : '',
  ])
  return markdown([header, ...body])
}

/** One record per row; differences to the base are `auc_over_base`, `auc_over_base_low`, …, null for the base. */
async function writeTable(path: string, rows: readonly GridRow[]): Promise<void> {
  const flat = rows.map(({ over_base, ...row }) => {
    const ofMetric = (metric: ResampledMetric) => {
      const { difference, low, high } = over_base?.[metric] ?? {}
      const name = `${metric}_over_base`
      return { [name]: difference ?? null, [`${name}_low`]: low ?? null, [`${name}_high`]: high ?? null }
    }
    return { ...row, ...ofMetric('auc'), ...ofMetric('gauc'), ...ofMetric('logloss') }
  })
  await writeRows(path, flat)
}
