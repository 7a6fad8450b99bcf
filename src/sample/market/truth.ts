/** Ground truth of a simulated log: counts, and the AUC of a perfect model on the test period. */
import { auc } from '../../metrics/index.js'
import type { Impressions } from './clicks.js'
import { parameters } from './parameters.js'

export interface Truth {
  items: number
  users: number
  requests: number
  impressions: number
  clicks: number
  purchases: number
  /** Clicks per impression. */
  ctr: number
  /** Items shown before it, in the first 70 % of impressions, are seen; impressions from `test_from` on, 20 %, are the test. */
  seen_until: string
  test_from: string
  /** AUC of the true log-odds of a click, without the position effect, on the test period. */
  oracle_auc: number
  /** The same on unseen items. */
  oracle_auc_unseen: number
  /** AUC of the smoothed click rate of each item in the first 70 %. */
  item_mean_auc: number
  /** Share of test impressions on unseen items. */
  cold_share: number
}

export function measure(log: Impressions, items: number): Omit<Truth, 'items' | 'users' | 'requests'> {
  const { seenUntil, testFrom, smoothing } = parameters.truth
  const count = log.ts.length
  const seenEnd = log.ts[Math.floor(count * seenUntil)]
  const testStart = log.ts[Math.floor(count * testFrom)]
  const all = Int32Array.from(log.ts.keys())
  const clicks = log.label.reduce((a, b) => a + b, 0)

  const shown = new Float64Array(items)
  const taken = new Float64Array(items)
  let early = 0
  for (const i of all) {
    if (log.ts[i] >= seenEnd) break
    shown[log.item[i]]++
    taken[log.item[i]] += log.label[i]
    early += log.label[i]
  }
  const rate = early / shown.reduce((a, b) => a + b, 0)
  const itemMean = shown.map((n, item) => (taken[item] + smoothing * rate) / (n + smoothing))

  const test = all.filter((i) => log.ts[i] >= testStart)
  const unseen = test.filter((i) => shown[log.item[i]] === 0)
  const labels = (rows: Int32Array) => Uint8Array.from(rows, (i) => log.label[i])
  const oracle = (rows: Int32Array) => Float64Array.from(rows, (i) => log.oracle[i])
  return {
    impressions: count,
    clicks,
    purchases: log.boughtAt.filter((ts) => ts > 0).length,
    ctr: clicks / count,
    seen_until: isoTime(seenEnd),
    test_from: isoTime(testStart),
    oracle_auc: auc(labels(test), oracle(test)),
    oracle_auc_unseen: auc(labels(unseen), oracle(unseen)),
    item_mean_auc: auc(
      labels(test),
      Float64Array.from(test, (i) => itemMean[log.item[i]]),
    ),
    cold_share: unseen.length / test.length,
  }
}

/** Microseconds since 1970 as UTC text with all six digits. */
export function isoTime(ts: number): string {
  const milliseconds = Math.floor(ts / 1_000)
  const rest = String(ts - milliseconds * 1_000).padStart(3, '0')
  return new Date(milliseconds).toISOString().replace('Z', `${rest}Z`)
}
