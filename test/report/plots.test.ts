import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BarPlot, barPlot, type LinePlot, linePlot, type Point } from '../../src/report/index.js'
import { all, read } from './reading.js'

const line = (points: readonly Point[], more: Partial<LinePlot> = {}) =>
  read(linePlot({ title: 'Loss', xLabel: 'step', yLabel: 'loss', series: [{ label: 'train', points }], ...more }).html)
const places = (page: ReturnType<typeof read>) =>
  all(page, 'circle').map(({ attributes: { cx, cy } }) => [Number(cx), Number(cy)])

describe('line plot', () => {
  test('when axes are given then points are at their positions in 56…464 by 236…16', () => {
    const page = line(
      [
        [0, 0],
        [5, 0.25],
        [10, 1],
      ],
      { xRange: [0, 10], yRange: [0, 1] },
    )
    assert.deepEqual(places(page), [
      [56, 236],
      [260, 181],
      [464, 16],
    ])
    assert.equal(all(page, 'path', 'stroke')[0].attributes['d'], 'M56,236L260,181L464,16')
  })

  test('when axes are not given then they span the points, upwards to round numbers', () => {
    const page = line([
      [20, 0.13],
      [40, 0.37],
    ])
    // y from 0.1 to 0.4: 0.03 of 0.3 above the floor is a tenth of 220 pixels.
    assert.deepEqual(places(page), [
      [56, 214],
      [464, 38],
    ])
    const labels = all(page, 'text', 'quiet').map(({ text }) => text)
    for (const label of ['0.1', '0.4', '20', '40', 'step', 'loss']) assert.ok(labels.includes(label), label)
  })

  test('when a value is NaN or infinite then the line has a gap, and a point alone between gaps is a dot', () => {
    const many = Array.from({ length: 60 }, (_, x): Point => [x, [10, 12].includes(x) ? Number.NaN : 1])
    many[20] = [20, Number.POSITIVE_INFINITY]
    const page = line(many)
    const d = all(page, 'path', 'stroke')[0].attributes['d']
    assert.equal(d.match(/M/g)?.length, 4)
    assert.doesNotMatch(d, /NaN|Infinity/)
    assert.equal(places(page).length, 1)
    assert.match(all(page, 'circle')[0].text, /at step 11$/)
  })

  test('when there is one point then it is in the middle', () => {
    assert.deepEqual(places(line([[7, 3]])), [[260, 126]])
    assert.deepEqual(places(line([[0, 0]])), [[260, 126]])
  })

  test('when there is no finite point then the figure says so', () => {
    for (const points of [[], [[1, Number.NaN]] as Point[]]) {
      const page = line(points)
      assert.equal(all(page, 'svg').length, 0)
      assert.match(page.text, /Loss.*no data/)
    }
  })

  test('when an x is marked then there is a line, and one outside the axis is left out', () => {
    const marks = [
      { x: 5, label: 'kept' },
      { x: 11, label: 'later' },
    ]
    const page = line(
      [
        [0, 0],
        [10, 1],
      ],
      { marks },
    )
    const guides = all(page, 'line', 'guide')
    assert.deepEqual([guides.length, guides[0].attributes['x1'], guides[0].attributes['x2']], [1, '260', '260'])
    assert.match(page.text, /kept/)
    assert.doesNotMatch(page.text, /later/)
  })

  test('when it is square then both axes end at the same number and the diagonal is drawn', () => {
    const page = line([[0.1, 0.36]], { square: true })
    const { x1, y1, x2, y2 } = all(page, 'line', 'guide')[0].attributes
    assert.deepEqual([x1, y1, x2, y2], ['56', '236', '464', '16'])
    assert.deepEqual(places(page), [[158, 38]]) // 0.1 and 0.36 of 0.4
  })

  test('when there are several series then each has its color and its name', () => {
    const plot = { title: 'Recall', xLabel: 'step', yLabel: '' }
    const series = ['first 1', 'first 5', 'first 10'].map((label, i) => ({ label, points: [[0, i] as const] }))
    const page = read(linePlot({ ...plot, series }).html)
    assert.deepEqual(
      ['c0', 'c1', 'c2'].map((style) => all(page, 'g', style)[0].text),
      ['first 1', 'first 5', 'first 10'],
    )
  })

  test('when a screen reader meets it then it has a role and a title', () => {
    const [svg] = all(line([[0, 1]]), 'svg')
    assert.equal(svg.attributes['role'], 'img')
    assert.deepEqual([svg.children[0].tag, svg.children[0].text], ['title', 'Loss'])
  })
})

const bars = (plot: Partial<BarPlot>) => read(barPlot({ title: 'AUC', series: ['AUC'], groups: [], ...plot }).html)
const group = (label: string, ...values: number[]) => ({ label, bars: values.map((value) => ({ value })) })
const spans = (page: ReturnType<typeof read>) =>
  all(page, 'rect').map(({ attributes: { x, width } }) => [Number(x), Number(width)])

describe('bar plot', () => {
  test('when values are given then lengths are proportional to them', () => {
    const [[x0, a], [x1, b], [x2, c]] = spans(bars({ groups: [group('a', 1), group('b', 2), group('c', 4)] }))
    assert.deepEqual([x1, x2], [x0, x0])
    assert.ok(a > 0)
    assert.ok(Math.abs(b - 2 * a) < 0.05 && Math.abs(c - 4 * a) < 0.05)
  })

  test('when there is a base then lower values reach to its left', () => {
    const [[x0, a], [x1, b]] = spans(bars({ base: 0.5, groups: [group('a', 0.6), group('b', 0.4)] }))
    assert.ok(Math.abs(a - b) < 0.05)
    assert.ok(Math.abs(x1 + b - x0) < 0.05)
  })

  test('when a value is NaN then there is a dash instead of a bar', () => {
    const page = bars({ groups: [group('a', 0.5), group('b', Number.NaN)] })
    assert.equal(spans(page).length, 1)
    assert.match(page.text, /–/)
    assert.match(bars({ groups: [group('a', Number.NaN)] }).text, /no data/)
    assert.match(bars({}).text, /no data/)
  })

  test('when a deviation is known then a whisker reaches as far to both sides', () => {
    const page = bars({ groups: [{ label: 'a', bars: [{ value: 3, deviation: 1 }] }] })
    const [low, high] = /^M([\d.]+) [\d.]+H([\d.]+)/
      .exec(all(page, 'path', 'whisker')[0].attributes['d'])!
      .slice(1)
      .map(Number)
    const [[from, width]] = spans(page)
    assert.ok(Math.abs((low + high) / 2 - (from + width)) < 0.05)
    assert.ok(Math.abs(high - low - (2 / 3) * width) < 0.05)
    const single = bars({ groups: [{ label: 'a', bars: [{ value: 3, deviation: Number.NaN }] }] })
    assert.equal(all(single, 'path').length, 0)
  })

  test('when labels are long or wild then they are cut, escaped and still whole in the tooltip', () => {
    const label = `<script>alert("1")</script> & ${'long '.repeat(9)}`
    const [text] = all(bars({ groups: [group(label, 1)] }), 'text', 'end')
    assert.ok(text.text.startsWith('<script>'))
    assert.match(text.text, /…/)
    assert.equal(text.children[0].text, label)
  })
})
