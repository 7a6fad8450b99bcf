import type { ScaleLinear } from 'd3-scale'
import { type Child, h, type Markup } from '../markup.js'
import { type Caption, color, figure, gray, legend, line, nothingToDraw, text, textWidth } from './figure.js'
import { exact, extent, linear, short, widened } from './scale.js'

export interface Bar {
  /** NaN: no bar, and a dash instead of the number. */
  value: number
  /** Half width of the whisker; no whisker if absent or NaN. */
  deviation?: number
}

interface Group {
  label: string
  /** Text at the right, e.g. a count. */
  note?: string
  /** One bar per series. */
  bars: readonly Bar[]
}

export interface BarPlot extends Caption {
  /** Names of the series: one color each. */
  series: readonly string[]
  /** Index of the series in gray that the others are compared with, e.g. the state before training. */
  reference?: number
  groups: readonly Group[]
  /** Where bars start, e.g. 0.5 for an AUC or the value of a baseline; default 0. */
  base?: number
  /** Heading of the notes. */
  noteLabel?: string
  /** Vertical lines, e.g. an oracle. */
  marks?: readonly { value: number; label: string }[]
  /** Text of a value; default: `exact`. */
  format?: (value: number) => string
}

const thickness = 15
const gap = 9
const maxLabel = 30
/** Pixels per tick of the axis, at least. */
const tickWidth = 70

/** Where the parts of a plot are, in pixels. */
interface Layout {
  width: number
  left: number
  right: number
  /** Upper edge of the marks' labels, and of the first bar. */
  head: number
  top: number
  bottom: number
  ticks: number
  x: ScaleLinear<number, number>
}

/** Horizontal bars in groups, each with its value; a picture 480 wide, or 960. */
export function barPlot(plot: BarPlot): Markup {
  const shown = { ...plot, marks: (plot.marks ?? []).filter((mark) => Number.isFinite(mark.value)) }
  const ends = plot.groups
    .flatMap(({ bars }) => bars)
    .flatMap(({ value, deviation }) => [value - spread(deviation), value + spread(deviation)])
  if (!extent(ends)) return nothingToDraw(plot)
  const layout = layoutOf(shown, ends)
  const { width, left, right, head, top, bottom, x } = layout
  const base = x(plot.base ?? 0)
  return figure(
    plot,
    [width, bottom + 24],
    legend(plot.series, [left, 16], right - left, (i) => colorOf(plot, i)).content,
    plot.noteLabel !== undefined && text(width - 4, head, plot.noteLabel, 'end quiet'),
    x
      .ticks(layout.ticks)
      .map((value) => [
        line(x(value), top - 4, x(value), bottom, 'grid'),
        text(x(value), bottom + 15, short(value), 'middle quiet'),
      ]),
    plot.groups.map((group, i) => drawGroup(plot, group, top + offsetOf(plot.groups, i), layout)),
    line(base, top - 4, base, bottom, 'axis'),
    shown.marks.map((mark, i) => drawMark(mark, head + 16 * i, layout)),
  )
}

function layoutOf({ groups, series, base = 0, marks = [], format = exact, ...plot }: BarPlot, ends: number[]): Layout {
  const widest = (texts: readonly string[]) => Math.max(...texts.map(textWidth))
  const width = plot.wide ? 960 : 480
  const left = 12 + widest(groups.map(({ label }) => cut(label)))
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => format(value)))
  const notes = groups.flatMap(({ note }) => note || [])
  const noteWidth = notes.length > 0 ? widest([plot.noteLabel ?? '', ...notes]) : 0
  const right = width - 14 - widest(values) - noteWidth
  const head = 12 + legend(series, [left, 16], right - left).height
  const top = head + (marks.length > 0 || plot.noteLabel ? 16 * Math.max(1, marks.length) : 0)
  const ticks = Math.max(2, Math.min(5, Math.floor((right - left) / tickWidth)))
  const range = widened(extent([base, ...ends, ...marks.map(({ value }) => value)])!)
  const bottom = top + offsetOf(groups, groups.length) - gap + 6
  return { width, left, right, head, top, bottom, ticks, x: linear(range, [left, right]).nice(ticks) }
}

/** Pixels from the first group to group `index`. */
const offsetOf = (groups: readonly Group[], index: number) =>
  groups.slice(0, index).reduce((sum, { bars }) => sum + bars.length * thickness + gap, 0)

function drawGroup(plot: BarPlot, { label, note, bars }: Group, y: number, layout: Layout): Child {
  const middle = y + (bars.length * thickness) / 2 + 4
  const short = cut(label)
  return [
    h('text', { x: layout.left - 6, y: middle, class: 'end' }, short, short !== label && h('title', {}, label)),
    bars.map((bar, i) => drawBar(plot, bar, i, y + i * thickness, layout)),
    note !== undefined && text(layout.width - 4, middle, note, 'end quiet'),
  ]
}

function drawBar(plot: BarPlot, { value, deviation }: Bar, series: number, y: number, { x }: Layout): Markup {
  const { base = 0, format = exact } = plot
  const number = (px: number) => text(px, y + thickness - 3, format(value))
  if (!Number.isFinite(value)) return number(x(base) + 4)
  const [from, to] = [Math.min(x(base), x(value)), Math.max(x(base), x(value))]
  const [low, high] = [x(value - spread(deviation)), x(value + spread(deviation))]
  const middle = y + (thickness - 1) / 2
  const size = { x: from, y, width: Math.round((to - from) * 100) / 100, height: thickness - 1 }
  return h(
    'g',
    { class: colorOf(plot, series) },
    h('rect', { class: 'fill', ...size, rx: 2 }, h('title', {}, `${plot.series[series]}: ${format(value)}`)),
    spread(deviation) > 0 &&
      h('path', { class: 'whisker', d: `M${low} ${middle}H${high}M${low} ${y + 3}v8M${high} ${y + 3}v8` }),
    number(Math.max(x(base), high) + 5),
  )
}

function drawMark(mark: { value: number; label: string }, y: number, { left, right, bottom, x }: Layout): Child {
  const px = x(mark.value)
  const side = px > (left + right) / 2 ? 'end' : ''
  return [line(px, y + 4, px, bottom, 'guide'), text(px + (side ? 4 : -4), y, mark.label, side)]
}

const colorOf = ({ reference }: BarPlot, series: number) => (series === reference ? gray : color(series))
const spread = (deviation: number | undefined) => (Number.isFinite(deviation) ? deviation! : 0)
const cut = (label: string) => (label.length > maxLabel ? `${label.slice(0, maxLabel - 1)}…` : label)
