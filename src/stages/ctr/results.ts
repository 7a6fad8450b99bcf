/** Results on the test part: metrics, report and predictions. */
import { replaceFile } from '../../base/files.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import type { Impressions } from '../../data/clicks/read.js'
import type { RowRange } from '../../data/tables/column.js'
import type { Database } from '../../data/tables/duckdb.js'
import { upTo } from '../../data/tables/matrix.js'
import { auc, aucByBucket, buckets, calibration, gauc, logLoss, metricInterval } from '../../metrics/index.js'
import { type Child, clickSections } from '../../report/index.js'

/** Items with fewer training impressions than this count as rare. */
const rare = 20

/** Metrics of the test part; 95 % intervals by `resamples` bootstrap samples of its users. */
export function testMetrics(
  { impressions, split: { test }, trainCount, content }: CtrDataset,
  scores: Float32Array,
  { resamples }: { resamples: number },
) {
  const { from, to } = test
  const [labels, items, users] = testColumns(impressions, test)
  const [starts, ends] = [impressions.historyStart, impressions.historyEnd].map((column) => column.read(from, to))
  const where = (keep: (item: number) => boolean) => {
    const rows = Int32Array.from(items.keys()).filter((i) => keep(items[i]))
    return auc(
      Uint8Array.from(rows, (i) => labels[i]),
      Float32Array.from(rows, (i) => scores[i]),
    )
  }
  const byBucket = (values: Float64Array) => {
    const { bucketOfRow, rows, low, high } = buckets(values)
    return aucByBucket(labels, scores, bucketOfRow, rows.length).map((b, i) => ({ low: low[i], high: high[i], ...b }))
  }
  const groups = gauc(labels, scores, users)
  const { ece, predictedOverObserved, curve } = calibration(labels, scores)
  const bounds = (metric: 'auc' | 'gauc') => {
    if (resamples === 0) return {}
    const { low, high } = metricInterval(metric, labels, [scores], users, { samples: resamples })
    return { [`${metric}_low`]: low, [`${metric}_high`]: high }
  }
  return {
    auc: auc(labels, scores),
    ...bounds('auc'),
    gauc: groups.gauc,
    ...bounds('gauc'),
    gauc_users: groups.groups,
    logloss: logLoss(labels, scores),
    ece,
    predicted_over_observed: predictedOverObserved,
    auc_unseen: where((item) => trainCount[item] === 0),
    auc_rare: where((item) => trainCount[item] < rare),
    ...(content ? { auc_without_vector: where((item) => content.rowOf[item] === 0) } : {}),
    test_impressions: to - from,
    reliability: curve,
    by_item_frequency: byBucket(Float64Array.from(items, (item) => trainCount[item])),
    by_history_length: byBucket(Float64Array.from(ends, (end, i) => end - starts[i])),
  }
}

/** Labels, items and users of the test part. */
function testColumns({ label, item, user }: Impressions, { from, to }: RowRange) {
  return [label.read(from, to), item.read(from, to), user.read(from, to)] as const
}

/** The sections of the report. */
export function showClicks(
  { impressions: { label }, split: { train, test } }: CtrDataset,
  scores: Float32Array,
  metrics: ReturnType<typeof testMetrics>,
): Child {
  return clickSections({
    labels: label.read(test.from, test.to),
    scores,
    clickRate: label.sum(train.from, train.to) / (train.to - train.from),
    byItemFrequency: metrics.by_item_frequency,
    byHistoryLength: metrics.by_history_length,
  })
}

/** Writes the scored test part, with the ids of the input. */
export async function writePredictions(
  db: Database,
  { impressions, split: { test }, numbers }: CtrDataset,
  scores: Float32Array,
  path: string,
) {
  await db.run(
    'CREATE OR REPLACE TEMP TABLE scored (row INTEGER, usr INTEGER, item INTEGER, label UTINYINT, probability FLOAT)',
  )
  const [labels, items, users] = testColumns(impressions, test)
  await db.insert('scored', [upTo(scores.length), users, items, labels, scores])
  const named = `SELECT user_id, item_id, label, probability FROM scored
    ${numbers.joinUsers} ${numbers.joinItems} ORDER BY row`
  await replaceFile(path, (temporary) => db.writeParquet(named, temporary))
}
