import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireFileApart } from '../base/apart.js'
import { replaceFile, writeJson } from '../base/files.js'
import { checkFolder } from '../base/places.js'
import { Lock } from '../base/processes/lock.js'
import { labelOf } from '../metrics/index.js'
import { aligned, comparedMetrics, comparisonReport, duration, four, interval, spread } from '../report/index.js'
import { type Comparison, compareRuns, findRuns } from '../studies/compare.js'

export async function run(folders: string[], flags: { out?: string; json?: boolean }): Promise<void> {
  if (flags.out !== undefined) checkFolder(flags.out, '--out')
  const runs = folders.flatMap(findRuns)
  if (flags.out) {
    // The report of a run has the name of ours.
    const inputs = runs.map(({ folder }) => ({ option: 'the run', path: folder }))
    requireFileApart(join(flags.out, 'report.html'), '--out', inputs)
  }
  const comparison = await compareRuns(runs)
  if (flags.out) {
    using _lock = Lock.folder(flags.out)
    await writeJson(join(flags.out, 'summary.json'), comparison)
    await replaceFile(join(flags.out, 'report.html'), (temporary) => writeFileSync(temporary, page(comparison)))
  }
  process.stdout.write(flags.json ? `${JSON.stringify(comparison)}\n` : table(comparison))
}

function page({ rows, oracle_auc, retrieval, engine, seconds }: Comparison): string {
  const { pretrain_recall10: titles, sft_recall10_before: before, sft_recall10: after } = retrieval
  return comparisonReport(rows, {
    oracle: oracle_auc,
    baseline: rows[0].model,
    facts: [
      ['engine', engine],
      ['time of all stages', duration(seconds)],
      ['picture → title, recall@10', titles === undefined ? undefined : percent(titles)],
      [
        'query → chosen item, recall@10',
        after === undefined ? undefined : `${percent(before)}, then ${percent(after)}`,
      ],
    ],
  })
}

/** The comparison as a text table. */
function table({ rows, oracle_auc, retrieval, engine, seconds }: Comparison): string {
  const [first, ...others] = comparedMetrics
  const header = ['model', 'vectors', ...comparedMetrics.map(labelOf), 'AUC − baseline [95 % of users]']
  const body = rows.map((row) => [
    row.model,
    row.vectors,
    spread(row[first], row[`${first}_sd`], row.seeds),
    ...others.map((name) => four(row[name])),
    row.over_baseline ? interval(row.over_baseline) : '',
  ])
  const notes = [
    oracle_auc === undefined ? [] : `oracle AUC (scores by the true click probabilities): ${oracle_auc.toFixed(4)}`,
    `Recall@10: picture → title ${percent(retrieval.pretrain_recall10)}; query → chosen item ` +
      `${percent(retrieval.sft_recall10_before)} before, ${percent(retrieval.sft_recall10)} after C-SFT`,
    `engine ${engine}; time of all stages: ${Math.round(seconds)} s`,
  ].flat()
  const rule = header.map((_, i) => '-'.repeat(Math.max(...[header, ...body].map((cells) => cells[i].length))))
  return `${aligned([header, rule, ...body])}\n${notes.join('\n')}\n`
}

const percent = (x: number | undefined) => (x === undefined ? '–' : `${(100 * x).toFixed(1)} %`)
