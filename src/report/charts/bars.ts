import { h, type Markup } from '../markup.js'
import { type Caption, color, figure, gray, legend, line, nothingToDraw, text, textWidth } from './figure.js'
import { exact, extent, linear, type Range, rounded, short, ticks, widened } from './scale.js'

export interface Bar {
  /** NaN: there is no bar, and a dash in place of the number. */
  value: number
  /** Drawn as a whisker to both sides; none where it is absent or NaN. */
  deviation?: number
}

export interface BarPlot extends Caption {
  /** What the bars are of: one color each. */
  series: readonly string[]
  /** Number of a series in gray: what the others are held against, e.g. the state before training. */
  reference?: number
  /** One bar for each series; `note` stands at the right, e.g. a count. */
  groups: readonly { label: string; note?: string; bars: readonly Bar[] }[]
  /** Where bars start, e.g. 0.5 for an AUC or the value of a baseline; default 0. */
  base?: number
  /** What `note` is. */
  noteLabel?: string
  /** Vertical lines, e.g. an oracle. */
  marks?: readonly { value: number; label: string }[]
  /** Number to text; default: `exact`. */
  format?: (value: number) => string
}

const thickness = 15
const gap = 9
const longest = 30

/** Horizontal bars in groups, each with its number; a picture 480 wide, or 960. */
export function barPlot(plot: BarPlot): Markup {
  const { groups, series, base = 0, marks = [], format = exact, wide } = plot
  const bars = groups.flatMap((group) => group.bars)
  const ends = bars.flatMap(({ value, deviation }) => [value - spread(deviation), value + spread(deviation)])
  if (!extent(ends)) return nothingToDraw(plot)
  const width = wide ? 960 : 480
  const colorOf = (i: number) => (i === plot.reference ? gray : color(i))
  const shownMarks = marks.filter((mark) => Number.isFinite(mark.value))
  const range: Range = rounded(widened(extent([base, ...ends, ...shownMarks.map((mark) => mark.value)])!))
  const left = 12 + Math.max(...groups.map(({ label }) => textWidth(cut(label))))
  const numbers = Math.max(...bars.map(({ value }) => textWidth(format(value))))
  const noted = groups.some(({ note }) => note)
  const notes = noted ? Math.max(...[plot.noteLabel ?? '', ...groups.map(({ note }) => note ?? '')].map(textWidth)) : 0
  const right = width - 14 - numbers - notes
  const x = linear(range, [left, right])
  const names = legend(series, [left, 16], right - left, colorOf)
  const top = 12 + names.height + (shownMarks.length > 0 || plot.noteLabel ? 16 * Math.max(1, shownMarks.length) : 0)

  let y = top
  const drawn = groups.map(({ label, note, bars }) => {
    const middle = y + (bars.length * thickness) / 2 + 4
    const rows = bars.map((bar, i) => drawBar(bar, i, y + i * thickness))
    y += bars.length * thickness + gap
    return [
      h('text', { x: left - 6, y: middle, class: 'end' }, cut(label), cut(label) !== label && h('title', {}, label)),
      rows,
      note !== undefined && text(width - 4, middle, note, 'end quiet'),
    ]
  })
  function drawBar({ value, deviation }: Bar, series: number, at: number): Markup {
    const number = (from: number) => text(from, at + thickness - 3, format(value))
    if (!Number.isFinite(value)) return number(x(base) + 4)
    const from = Math.min(x(base), x(value))
    const [low, high] = [x(value - spread(deviation)), x(value + spread(deviation))]
    const middle = at + (thickness - 1) / 2
    return h(
      'g',
      { class: colorOf(series) },
      h(
        'rect',
        {
          class: 'fill',
          x: from,
          y: at,
          width: round(Math.max(x(base), x(value)) - from),
          height: thickness - 1,
          rx: 2,
        },
        h('title', {}, `${plot.series[series]}: ${format(value)}`),
      ),
      spread(deviation) > 0 &&
        h('path', { class: 'whisker', d: `M${low} ${middle}H${high}M${low} ${at + 3}v8M${high} ${at + 3}v8` }),
      number(Math.max(x(base), high) + 5),
    )
  }
  const bottom = y - gap + 6
  const grid = ticks(range).map((value) => [
    line(x(value), top - 4, x(value), bottom, 'grid'),
    text(x(value), bottom + 15, short(value), 'middle quiet'),
  ])
  const vertical = shownMarks.map((mark, i) => {
    const labelAt = 12 + names.height + 16 * i
    const side = x(mark.value) > (left + right) / 2 ? 'end' : ''
    return [
      line(x(mark.value), labelAt + 4, x(mark.value), bottom, 'guide'),
      text(x(mark.value) + (side ? 4 : -4), labelAt, mark.label, side),
    ]
  })
  return figure(
    plot,
    [width, bottom + 24],
    names.content,
    plot.noteLabel !== undefined && text(width - 4, 12 + names.height, plot.noteLabel, 'end quiet'),
    grid,
    drawn,
    line(x(base), top - 4, x(base), bottom, 'axis'),
    vertical,
  )
}

const spread = (deviation: number | undefined) => (Number.isFinite(deviation) ? deviation! : 0)
const round = (x: number) => Math.round(x * 100) / 100
const cut = (label: string) => (label.length > longest ? `${label.slice(0, longest - 1)}…` : label)
