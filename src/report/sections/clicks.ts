/** What is shown of a click model's test period. */
import { auc, calibration, logLoss, rocCurve } from '../../metrics/index.js'
import { barPlot } from '../charts/bars.js'
import { linePlot } from '../charts/lines.js'
import { exact } from '../charts/scale.js'
import type { Markup } from '../markup.js'
import { plots, section, table } from '../page.js'

/** AUC among the rows whose value lies in low…high; NaN without both classes. An empty bucket has rows 0. */
export interface BucketResult {
  low: number
  high: number
  rows: number
  auc: number
}

export interface ClickResults {
  /** 0 or 1 [n], and the predicted probabilities [n]. */
  labels: Uint8Array
  scores: Float32Array
  /** Share of clicks in training. */
  clickRate: number
  byItemFrequency: readonly BucketResult[]
  byHistoryLength: readonly BucketResult[]
}

export function clickSections(results: ClickResults): Markup[] {
  const { labels, scores } = results
  const { curve } = calibration(labels, scores)
  return [
    section(
      'For whom it works',
      'AUC in parts of the test period of about equal size; bars start at guessing.',
      plots(
        buckets('AUC by item frequency', 'how often training showed the item', results.byItemFrequency),
        buckets('AUC by history length', 'how many behaviors of the user are known', results.byHistoryLength),
      ),
    ),
    section(
      'How far to trust it',
      undefined,
      plots(
        linePlot({
          title: 'Calibration',
          hint: 'on the diagonal as many click as were predicted; below it fewer do',
          xLabel: 'predicted click rate',
          yLabel: 'observed click rate',
          series: [{ label: 'model', points: curve.map(({ predicted, observed }) => [predicted, observed]) }],
          square: true,
        }),
        linePlot({
          title: 'ROC curve',
          hint: `the area below it is the AUC, ${exact(auc(labels, scores))}; the diagonal is guessing`,
          xLabel: 'non-clicks let through',
          yLabel: 'clicks found',
          series: [{ label: 'model', points: rocCurve(labels, scores) }],
          square: true,
        }),
      ),
    ),
    majority(results),
  ]
}

function buckets(title: string, hint: string, rows: readonly BucketResult[]): Markup {
  return barPlot({
    title,
    hint,
    series: ['AUC'],
    base: 0.5,
    noteLabel: 'impressions',
    groups: rows
      .filter((b) => b.rows > 0)
      .map(({ low, high, rows, auc }) => ({
        label: low === high ? exact(low) : `${exact(low)}–${exact(high)}`,
        note: exact(rows),
        bars: [{ value: auc }],
      })),
  })
}

/** Most impressions are not clicked: what one scores who says so of all, at the rate of training. */
function majority({ labels, scores, clickRate }: ClickResults): Markup {
  const clicks = labels.reduce((a, b) => a + b, 0)
  const constant = new Float32Array(labels.length).fill(clickRate)
  const ofMajority = logLoss(labels, constant)
  const ofModel = logLoss(labels, scores)
  const right = labels.reduce((n, y, i) => n + (scores[i] >= 0.5 === (y === 1) ? 1 : 0), 0)
  const usual = clickRate >= 0.5 ? clicks : labels.length - clicks
  const rows: [string, number, number, string][] = [
    ['AUC', auc(labels, scores), auc(labels, constant), 'order of clicks and non-clicks'],
    ['log loss', ofModel, ofMajority, 'lower is better'],
    ['information gained', 1 - ofModel / ofMajority, 0, 'share of the uncertainty that the model removes'],
    ['accuracy', right / labels.length, usual / labels.length, 'of little use where few click'],
  ]
  return section(
    'Against the majority',
    'Is it better than saying the same click rate of every impression?',
    table(
      [
        { text: '' },
        { text: 'this model', style: 'number' },
        { text: 'majority', style: 'number' },
        { text: 'what it means', style: 'meaning' },
      ],
      rows.map(([name, model, majority, meaning]) => [
        { text: name },
        { text: exact(model), style: 'number' },
        { text: exact(majority), style: 'number' },
        { text: meaning, style: 'meaning' },
      ]),
    ),
  )
}
