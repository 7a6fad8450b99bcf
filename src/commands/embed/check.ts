import { existsSync } from 'node:fs'
import { UserError } from '../../base/errors.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { shown } from '../../report/text.js'
import { type Coverage, checkCoverage, checkDrift, checkTable, type Drift } from '../../stages/embed/check.js'
import { EmbeddingTable } from '../../store/index.js'
import type { OptionsOf } from '../options.js'
import { tablePath } from '../tablePath.js'
import type * as declarations from './declarations.js'

type Flags = OptionsOf<typeof declarations.check>

export async function run(path: string, flags: Flags): Promise<void> {
  using db = await Database.open()
  using table = EmbeddingTable.open(path)
  const { data } = flags
  const covered = async (option: string, log: string | undefined) =>
    log === undefined ? undefined : await checkCoverage(db, table, tablePath(option, log, { data }), flags.idColumn)
  const vectors = await checkTable(db, table)
  const targets = await covered('--impressions', flags.impressions)
  const histories = await covered('--behaviors', flags.behaviors)
  const drift = flags.against === undefined ? undefined : await compare(db, table, flags.against, flags)
  const problems = [vectors, targets, histories].flatMap((found) => found?.problems ?? [])
  const findings = { ...vectors, problems, targets, histories, drift }
  process.stdout.write(flags.json ? `${JSON.stringify(findings)}\n` : text(findings))
  if (problems.length > 0) process.exitCode = 2
}

async function compare(db: Database, table: EmbeddingTable, against: string, flags: Flags): Promise<Drift> {
  using before = EmbeddingTable.open(against)
  if (before.width !== table.width || (before.ids.kind === 'string') !== (table.ids.kind === 'string')) {
    throw new UserError({
      id: 'tables-differ',
      where: against,
      what: `${before.width} dimensions, ids of type ${before.ids.kind}`,
      expected: `${table.width} dimensions and ids of type ${table.ids.kind}, as in the other table`,
    })
  }
  const { data, idColumn: id, categoryColumn: category } = flags
  const path = flags.items === undefined ? defaultItems(data) : tablePath('--items', flags.items, { data })
  return await checkDrift(db, table, before, path === undefined ? undefined : { path, id, category })
}

/** The catalogue where the user names none. */
function defaultItems(data = '.'): string | undefined {
  const path = findTable(data, 'items.parquet')
  return existsSync(path) ? path : undefined
}

type Findings = Awaited<ReturnType<typeof checkTable>> & { targets?: Coverage; histories?: Coverage; drift?: Drift }

function text({ problems, targets, histories, drift, ...vectors }: Findings): string {
  const lines = Object.entries(vectors).map(([name, value]) => [name, shown(value)])
  for (const [name, coverage] of Object.entries({ targets, histories })) {
    if (!coverage) continue
    const [items, rows] = [percent(coverage.items_covered), percent(coverage.rows_covered)]
    lines.push([name, `${items} of ${coverage.items} items and ${rows} of ${coverage.rows} rows have a vector`])
  }
  if (drift) {
    const { common, only_new, only_old, mean, p1, moved, worst, by_category } = drift
    lines.push(['drift', `${common} items in both tables, ${only_new} new, ${only_old} gone`])
    lines.push(['', `cosine: mean ${shown(mean)}, 1st percentile ${shown(p1)}; ${percent(moved)} of items below 0.9`])
    for (const { category, items, mean } of by_category)
      lines.push(['', `${category}: mean cosine ${shown(mean)} (${items} items)`])
    lines.push(['moved most', worst.map(({ item, cosine }) => `${item} (${shown(cosine)})`).join(', ')])
  }
  lines.push(['problems', problems.join('; ') || 'none'])
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
