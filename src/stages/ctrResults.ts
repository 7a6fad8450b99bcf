/** What is told of the test period: metrics and predictions. */
import type { CtrDataset } from '../data/ctrDataset.js'
import type { Database } from '../data/duckdb.js'
import { itemNumbers, userNumbers } from '../data/impressions.js'
import { replaceFile } from '../files.js'
import { auc, aucByBucket, buckets, calibration, gauc, logLoss, metricInterval } from '../metrics/index.js'
import { type Child, clickSections } from '../report/index.js'

/** Items with fewer training impressions than this count as rare. */
const rare = 20

/** All that is said of the test period; `resamples` of its users make the intervals, 95 % wide. */
export function testMetrics(
  { impressions, split: { test }, trainCount, content }: CtrDataset,
  scores: Float32Array,
  { resamples }: { resamples: number },
) {
  const { from, to } = test
  const labels = impressions.label.subarray(from, to)
  const items = impressions.item.subarray(from, to)
  const users = impressions.user.subarray(from, to)
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
    by_history_length: byBucket(
      Float64Array.from(items, (_, i) => impressions.historyEnd[from + i] - impressions.historyStart[from + i]),
    ),
  }
}

/** The pictures of the report. */
export function showClicks(
  { impressions: { label }, split: { train, test } }: CtrDataset,
  scores: Float32Array,
  metrics: ReturnType<typeof testMetrics>,
): Child {
  const clicks = label.subarray(train.from, train.to).reduce((a, b) => a + b, 0)
  return clickSections({
    labels: label.subarray(test.from, test.to),
    scores,
    clickRate: clicks / (train.to - train.from),
    byItemFrequency: metrics.by_item_frequency,
    byHistoryLength: metrics.by_history_length,
  })
}

/** The scored test period, with ids as they came in. */
export async function writePredictions(
  db: Database,
  { impressions, split: { test } }: CtrDataset,
  scores: Float32Array,
  path: string,
) {
  await db.run(
    'CREATE OR REPLACE TEMP TABLE scored (row INTEGER, usr INTEGER, item INTEGER, label UTINYINT, probability FLOAT)',
  )
  const appender = await db.appender('scored')
  scores.forEach((score, i) => {
    const row = test.from + i
    appender.appendInteger(row)
    appender.appendInteger(impressions.user[row])
    appender.appendInteger(impressions.item[row])
    appender.appendUTinyInt(impressions.label[row])
    appender.appendFloat(score)
    appender.endRow()
  })
  appender.closeSync()
  const named = `SELECT user_id, item_id, label, probability FROM scored
    JOIN ${userNumbers} USING (usr) JOIN ${itemNumbers} USING (item) ORDER BY row`
  await replaceFile(path, (temporary) => db.writeParquet(named, temporary))
}
