/** Sections of a click model's report about the test period. */
import { auc, calibration, logLoss, rocCurve } from '../../metrics/index.js'
import { barPlot } from '../charts/bars.js'
import { linePlot } from '../charts/lines.js'
import { exact } from '../charts/scale.js'
import type { Markup } from '../markup.js'
import { plots, section, table } from '../page.js'

/** AUC of the rows with a value in low…high; NaN without both classes. An empty bucket has 0 rows. */
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
  /** Click rate of the training period. */
  clickRate: number
  byItemFrequency: readonly BucketResult[]
  byHistoryLength: readonly BucketResult[]
}

export function clickSections(results: ClickResults): Markup[] {
  const { labels, scores } = results
  return [
    section(
      'AUC by segment',
      'The test period in segments of about equal size; bars start at 0.5, the AUC of random scores.',
      plots(
        bucketPlot('AUC by item frequency', 'training impressions of the item', results.byItemFrequency),
        bucketPlot('AUC by history length', 'known behaviors of the user', results.byHistoryLength),
      ),
    ),
    section(
      'Calibration and ROC',
      undefined,
      plots(
        linePlot({
          title: 'Calibration',
          hint: 'on the diagonal: as many clicks as predicted; below it: fewer',
          xLabel: 'predicted click rate',
          yLabel: 'observed click rate',
          series: [
            {
              label: 'model',
              points: calibration(labels, scores).curve.map(({ predicted, observed }) => [predicted, observed]),
            },
          ],
          square: true,
        }),
        linePlot({
          title: 'ROC curve',
          hint: `area under the curve: AUC ${exact(auc(labels, scores))}; diagonal: random scores`,
          xLabel: 'false positive rate',
          yLabel: 'true positive rate',
          series: [{ label: 'model', points: rocCurve(labels, scores) }],
          square: true,
        }),
      ),
    ),
    constantSection(results),
  ]
}

function bucketPlot(title: string, hint: string, buckets: readonly BucketResult[]): Markup {
  return barPlot({
    title,
    hint,
    series: ['AUC'],
    base: 0.5,
    noteLabel: 'impressions',
    groups: buckets
      .filter(({ rows }) => rows > 0)
      .map(({ low, high, rows, auc }) => ({
        label: low === high ? exact(low) : `${exact(low)}–${exact(high)}`,
        note: exact(rows),
        bars: [{ value: auc }],
      })),
  })
}

/** The model compared with predicting the click rate of the training period for every impression. */
function constantSection({ labels, scores, clickRate }: ClickResults): Markup {
  const clicks = labels.reduce((a, b) => a + b, 0)
  const constant = new Float32Array(labels.length).fill(clickRate)
  const [lossOfConstant, lossOfModel] = [logLoss(labels, constant), logLoss(labels, scores)]
  const correct = labels.reduce((n, label, i) => n + (scores[i] >= 0.5 === (label === 1) ? 1 : 0), 0)
  const correctOfConstant = clickRate >= 0.5 ? clicks : labels.length - clicks
  const rows: [string, number, number, string][] = [
    ['AUC', auc(labels, scores), auc(labels, constant), 'order of clicks and non-clicks'],
    ['log loss', lossOfModel, lossOfConstant, 'nats per impression; lower is better'],
    ['information gain', 1 - lossOfModel / lossOfConstant, 0, 'relative reduction of the log loss'],
    ['accuracy', correct / labels.length, correctOfConstant / labels.length, 'says little if clicks are rare'],
  ]
  return section(
    'Comparison with a constant',
    'The constant predicts the click rate of the training period for every impression.',
    table(
      [
        { text: '' },
        { text: 'model', style: 'number' },
        { text: 'constant', style: 'number' },
        { text: 'meaning', style: 'meaning' },
      ],
      rows.map(([name, model, constant, meaning]) => [
        { text: name },
        { text: exact(model), style: 'number' },
        { text: exact(constant), style: 'number' },
        { text: meaning, style: 'meaning' },
      ]),
    ),
  )
}
