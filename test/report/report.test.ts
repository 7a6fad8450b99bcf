import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ComparisonRow,
  clickSections,
  comparisonReport,
  gallery,
  type HistoryRow,
  type RunSummary,
  recallSection,
  section,
  stageReport,
} from '../../src/report/index.js'
import { all, read } from './reading.js'

const summary = (more: Partial<RunSummary> = {}): RunSummary => ({
  stage: 'ctr',
  folder: 'runs/ctr',
  finished: new Date('2026-05-04T12:30:00Z'),
  config: { data: { root: 'data/market' }, seed: 7 },
  metrics: { model: 'din', auc: 0.75, valid_auc: 0.76, auc_unseen: null, best_step: 40, seconds: 125, engine: 'wasm' },
  history: [],
  sections: [],
  ...more,
})
const report = (more?: Partial<RunSummary>) => read(stageReport(summary(more)))
const wild = `<img src=x onerror="alert(1)"> & 'co' \u0000`

describe('report of a stage', () => {
  test('when a run is finished then the head has stage, time, engine, duration, data and seed', () => {
    const facts = all(report(), 'dl')[0].text
    for (const fact of ['mim ctr', 'runs/ctr', '2026-05-04 12:30 UTC', '2 min 5 s', 'wasm', 'data/market', 'seed7']) {
      assert.ok(facts.includes(fact), fact)
    }
  })

  test('when there are results then the table has each with its variants and what it means', () => {
    const rows = all(report(), 'tr').map((row) => row.children.map(({ text }) => text))
    assert.deepEqual(rows[0], ['', 'result', 'validation', 'meaning'])
    const auc = rows.find(([name]) => name === 'auc')!
    assert.deepEqual(auc.slice(1, 3), ['0.7500', '0.7600'])
    assert.match(auc[3], /ranked above/)
    assert.equal(rows.find(([name]) => name === 'auc_unseen')![1], '–')
  })

  test('when results were better after training then the tile has both', () => {
    const metrics = { before_recall_10: 0.1, after_recall_10: 0.3, recall_10_other: 'x' }
    const tiles = all(report({ stage: 'sft', metrics }), 'li', 'tile').map(({ text }) => text)
    assert.deepEqual(tiles, ['0.3000query → chosen item, recall@10; before 0.1000'])
  })

  test('when there is a history then related metrics share a plot and the kept step is marked in each', () => {
    const history: HistoryRow[] = [
      { step: 20, loss: 2, learning_rate: 1e-3, data_wait_share: 0.1 },
      {
        step: 40,
        loss: 1,
        learning_rate: 5e-4,
        data_wait_share: 0.1,
        valid_auc: 0.76,
        valid_gauc: 0.7,
        valid_recall_1: 0.1,
        valid_recall_10: 0.3,
      },
    ]
    const page = report({ history })
    assert.deepEqual(
      all(page, 'figcaption').map(({ children: [title] }) => title.text),
      ['Training loss', 'Validation AUC', 'Validation recall', 'Learning rate'],
    )
    assert.equal(page.text.match(/kept: step 40/g)?.length, 4)
    // Steps run from 0 to 40: step 20 is in the middle.
    assert.equal(all(page, 'circle')[0].attributes['cx'], '260')
    assert.match(page.text, /AUC 0\.7600.*GAUC 0\.7000/)
  })

  test('when no step was kept then curves end with the numbers of the last one', () => {
    const history: HistoryRow[] = [
      { step: 1, valid_auc: 0.6 },
      { step: 2, valid_auc: 0.625 },
    ]
    const page = report({ history, metrics: {} })
    assert.match(all(page, 'figcaption')[0].text, /^Validation AUC0\.6250$/)
    assert.doesNotMatch(page.text, /kept: step/)
  })

  test('when there is nothing but a stage then the page is whole all the same', () => {
    const page = report({ metrics: {}, config: {} })
    assert.equal(all(page, 'h1')[0].text, 'Click model')
    assert.equal(all(page, 'figure').length, 0)
  })

  test('when texts hold markup then it is shown, not obeyed', () => {
    const page = report({
      metrics: { model: wild, [wild]: wild },
      config: { note: wild },
      sections: [section(wild, wild)],
    })
    assert.equal(all(page, 'img').length, 0)
    assert.equal(all(page, 'h2')[0].text, wild.replace('\u0000', ''))
  })

  test('when it is opened anywhere then it asks nothing of the net', () => {
    const html = stageReport(summary({ sections: [recallSection([])] }))
    assert.doesNotMatch(html, /<script|<link|@import|url\(|src="http|href=/)
  })
})

describe('parts of reports', () => {
  const picture = 'data:image/jpeg;base64,AAAA'

  test('when cards have pictures then the right one is framed and every picture has its title as text', () => {
    const part = gallery('Found', 'green is right', [
      {
        query: { text: wild },
        chosen: { picture, text: 'b' },
        found: [{ picture, text: 'a' }, { picture, text: 'b', right: true }, {}],
      },
    ])!
    const page = read(part.html)
    assert.deepEqual(
      all(page, 'img').map(({ attributes }) => attributes['alt']),
      ['b', 'a', 'b'],
    )
    assert.deepEqual(
      all(page, 'div', 'right').map(({ text }) => text),
      ['b'],
    )
    assert.match(page.text, /no picture/)
  })

  test('when nothing has a picture then there is no gallery', () => {
    assert.equal(gallery('Found', '', [{ query: { text: 'a' }, found: [{ text: 'b' }] }]), undefined)
    assert.equal(gallery('Found', '', []), undefined)
  })

  test('when recalls are given then each k has a bar for after and one for before', () => {
    const recalls = [{ k: 10, before: 0.25, after: 0.5 }]
    const page = read(recallSection([{ title: 'Picture → title', hint: '', recalls }]).html)
    const [after, before] = all(page, 'rect').filter(({ children }) => children.length > 0)
    assert.deepEqual([after.text, before.text], ['after: 50.0 %', 'before: 25.0 %'])
    assert.ok(Math.abs(Number(after.attributes['width']) - 2 * Number(before.attributes['width'])) < 0.05)
  })

  test('when clicks are judged then buckets, calibration, ROC and the majority are shown', () => {
    const page = read(
      section(
        'test',
        undefined,
        clickSections({
          labels: Uint8Array.of(1, 0, 0, 0),
          scores: Float32Array.of(0.75, 0.25, 0.25, 0.25),
          clickRate: 0.25,
          byItemFrequency: [
            { low: 0, high: 14, rows: 3, auc: 1 },
            { low: Number.NaN, high: Number.NaN, rows: 0, auc: Number.NaN },
          ],
          byHistoryLength: [{ low: 5, high: 5, rows: 4, auc: Number.NaN }],
        }),
      ).html,
    )
    const [frequency, history, calibration, roc] = all(page, 'figure')
    assert.deepEqual(
      all(frequency, 'text', 'end').map(({ text }) => text),
      ['impressions', '0–14', '3'],
    )
    assert.match(history.text, /no data/)
    assert.equal(all(calibration, 'circle').length, 2)
    // The curve goes straight up to the first click and then right.
    assert.equal(all(roc, 'path', 'stroke')[0].attributes['d'], 'M56,236L56,16L464,16')
    const rows = all(page, 'tr').map((row) => row.children.slice(0, 3).map(({ text }) => text))
    // Log loss of ln(4/3) in every row against (ln 4 + 3 ln(4/3)) / 4.
    assert.deepEqual(rows.slice(1), [
      ['AUC', '1', '0.5000'],
      ['log loss', '0.2877', '0.5623'],
      ['information gain', '0.4884', '0'],
      ['accuracy', '1', '0.7500'],
    ])
  })
})

const row = (model: string, vectors: string, auc: number, more: Partial<ComparisonRow> = {}): ComparisonRow => ({
  model,
  vectors,
  seeds: 3,
  auc,
  gauc: auc - 0.03,
  logloss: 1 - auc,
  auc_unseen: auc,
  auc_rare: auc,
  auc_sd: 0.002,
  gauc_sd: 0.003,
  logloss_sd: 0.004,
  auc_unseen_sd: 0.005,
  auc_rare_sd: 0.006,
  ...more,
})

describe('comparison', () => {
  const rows = [
    row('din', 'none', 0.7),
    row('ciubm', 'C-SFT', 0.75, { over_baseline: { difference: 0.05, low: 0.04, high: 0.06, samples: 1000 } }),
    row('content', '<b>', 0.65, { seeds: 1, auc_unseen: Number.NaN }),
  ]

  test('when models are compared then bars start at DIN, the oracle has a line and the best is marked', () => {
    const page = read(comparisonReport(rows, { oracle: 0.9, facts: [['data', 'market']] }))
    const [overall, overDin] = all(page, 'figure')
    assert.equal(all(overall, 'line', 'guide').length, 2)
    assert.match(overall.text, /oracle 0\.9000/)
    const [, better, worse] = all(overDin, 'rect').map(({ attributes }) => attributes)
    assert.ok(Math.abs(Number(better['x']) - Number(worse['x']) - Number(worse['width'])) < 0.05)
    assert.ok(Math.abs(Number(better['width']) - Number(worse['width'])) < 0.05)
    assert.deepEqual(
      all(page, 'td', 'best').map(({ text }) => text),
      ['0.7500 ± 0.0020', '0.7200 ± 0.0030', '0.2500 ± 0.0040', '0.7500 ± 0.0050', '0.7500 ± 0.0060'],
    )
    assert.match(page.text, /\+0\.0500 \+0\.0400 to \+0\.0600/)
  })

  test('when a model has one seed or no value then there is no deviation and a dash', () => {
    const cells = all(read(comparisonReport(rows)), 'tr')[3].children.map(({ text }) => text)
    assert.deepEqual(cells, ['content', '<b>', '1', '0.6500', '0.6200', '0.3500', '–', '0.6500', ''])
  })

  test('when there is no baseline, no oracle or no row at all then the page is whole', () => {
    assert.doesNotMatch(comparisonReport(rows.slice(1)), /over din|Oracle AUC/)
    assert.equal(all(read(comparisonReport([])), 'figure').length, 5)
  })
})
