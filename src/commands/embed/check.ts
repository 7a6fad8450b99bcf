import { existsSync } from 'node:fs'
import { UserError } from '../../base/errors.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { shown } from '../../report/text.js'
import { type Coverage, checkCoverage, checkDrift, checkVectors, type Drift } from '../../stages/embed/check.js'
import { EmbeddingTable } from '../../store/index.js'

export interface CheckFlags {
  against?: string
  data: string
  items: string
  impressions?: string
  behaviors?: string
  idColumn: string
  categoryColumn: string
  json?: boolean
}

export async function run(path: string, flags: CheckFlags): Promise<void> {
  using db = await Database.open()
  using table = EmbeddingTable.open(path)
  const covered = async (log: string | undefined) =>
    log === undefined ? undefined : await checkCoverage(db, table, findTable(flags.data, log), flags.idColumn)
  const vectors = checkVectors(table)
  const [targets, histories] = [await covered(flags.impressions), await covered(flags.behaviors)]
  const drift = flags.against === undefined ? undefined : await compare(db, table, flags.against, flags)
  const findings = { ...vectors, targets, histories, drift }
  process.stdout.write(flags.json ? `${JSON.stringify(findings)}\n` : text(findings))
  if (vectors.problems.length > 0) process.exitCode = 2
}

async function compare(db: Database, table: EmbeddingTable, path: string, flags: CheckFlags): Promise<Drift> {
  using before = EmbeddingTable.open(path)
  if (before.width !== table.width || (before.ids.kind === 'string') !== (table.ids.kind === 'string')) {
    throw new UserError({
      id: 'tables-differ',
      where: path,
      what: `vectors of ${before.width} numbers, ids that are ${before.ids.kind}`,
      expected: `${table.width} numbers and ids that are ${table.ids.kind}, as the other table has`,
    })
  }
  const items = findTable(flags.data, flags.items)
  const { idColumn: id, categoryColumn: category } = flags
  return await checkDrift(db, table, before, existsSync(items) ? { path: items, id, category } : undefined)
}

type Findings = ReturnType<typeof checkVectors> & { targets?: Coverage; histories?: Coverage; drift?: Drift }

function text({ problems, targets, histories, drift, ...vectors }: Findings): string {
  const lines = Object.entries(vectors).map(([name, value]) => [name, shown(value)])
  for (const [name, of] of Object.entries({ targets, histories })) {
    if (!of) continue
    const [items, rows] = [percent(of.items_covered), percent(of.rows_covered)]
    lines.push([name, `${items} of ${of.items} items have a vector, ${rows} of ${of.rows} rows`])
  }
  if (drift) {
    const { common, only_new, only_old, mean, p1, moved, worst, by_category } = drift
    lines.push(['drift', `${common} items in both tables, ${only_new} new, ${only_old} gone`])
    lines.push([
      '',
      `cosine ${shown(mean)} in the mean, ${shown(p1)} at the lowest percent; ${percent(moved)} below 0.9`,
    ])
    for (const { category, items, mean: of } of by_category)
      lines.push(['', `${category}: ${shown(of)} (${items} items)`])
    lines.push(['farthest', worst.map(({ item, cosine }) => `${item} (${shown(cosine)})`).join(', ')])
  }
  lines.push(['problems', problems.join('; ') || 'none'])
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
