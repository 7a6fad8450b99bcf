import type { ScaleLinear } from 'd3-scale'
import { line as lineShape } from 'd3-shape'
import { type Child, h, type Markup } from '../markup.js'
import { type Caption, color, figure, legend, line, nothingToDraw, text } from './figure.js'
import { extent, linear, type Range, short, widened } from './scale.js'

/** A point leaves a gap if x or y is not finite. */
export type Point = readonly [x: number, y: number]

export interface LinePlot extends Caption {
  xLabel: string
  yLabel: string
  series: readonly { label: string; points: readonly Point[] }[]
  /** Vertical lines, e.g. the best step. */
  marks?: readonly { x: number; label: string }[]
  /** Both axes run from 0 to the same end, and the diagonal is drawn. */
  square?: boolean
  /** Ends of the axes; default: the extent of the points, for y extended to round numbers. */
  xRange?: Range
  yRange?: Range
}

const width = 480
const height = 280
/** Edges of the plot area in pixels; a legend and marks push it down, and the picture grows by their height. */
const [left, right, top, bottom] = [56, 464, 16, 236]
/** Lines of at most this many points show their points as dots. */
const maxDots = 40

/** Scales of both axes, and how far the plot area is pushed down. */
interface Frame {
  x: ScaleLinear<number, number>
  y: ScaleLinear<number, number>
  down: number
}

/** Lines over common axes: the plot area is x 56…464, y 16…236 of 480 × 280, below any legend and marks. */
export function linePlot(plot: LinePlot): Markup {
  const labels = plot.series.map(({ label }) => label)
  const names = legend(labels, [left, top + 4], right - left)
  // Labels of marks are above the plot area, where no line crosses them.
  const down = names.height + (plot.marks?.length ? 12 : 0)
  const scales = scalesOf(plot, down)
  if (!scales) return nothingToDraw(plot)
  const frame = { ...scales, down }
  const { x, y } = frame
  const [start, end] = x.domain()
  const diagonal = plot.square && line(x(start), y(start), x(end), y(end), 'guide')
  const content = [names.content, axes(plot, frame), diagonal, marks(plot, frame), curves(plot, frame)]
  return figure(plot, [width, height + down], ...content)
}

function scalesOf({ series, square, xRange, yRange }: LinePlot, down: number): Omit<Frame, 'down'> | undefined {
  const points = series.flatMap((one) => one.points).filter(isFinitePoint)
  const xs = extent(points.map(([x]) => x))
  const ys = extent(points.map(([, y]) => y))
  if (!xs || !ys) return undefined
  const common: Range | undefined = square ? [0, Math.max(xs[1], ys[1], Number.MIN_VALUE)] : undefined
  const x = linear(xRange ?? common ?? widened(xs), [left, right])
  const y = linear(yRange ?? common ?? widened(ys), [bottom + down, top + down])
  return { x: square ? x.nice(5) : x, y: yRange ? y : y.nice(5) }
}

function axes({ xLabel, yLabel }: LinePlot, { x, y, down }: Frame): Child {
  const turned = `translate(12 ${(top + bottom) / 2 + down}) rotate(-90)`
  return [
    y
      .ticks(5)
      .map((value) => [
        line(left, y(value), right, y(value), 'grid'),
        text(left - 6, y(value) + 4, short(value), 'end quiet'),
      ]),
    x.ticks(5).map((value) => text(x(value), bottom + down + 17, short(value), 'middle quiet')),
    line(left, bottom + down, right, bottom + down, 'axis'),
    text((left + right) / 2, bottom + down + 36, xLabel, 'middle quiet'),
    h('text', { transform: turned, class: 'middle quiet' }, yLabel),
  ]
}

/** Vertical lines at the marks inside the x axis. */
function marks({ marks = [] }: LinePlot, { x, down }: Frame): Child {
  const [start, end] = x.domain()
  return marks
    .filter((mark) => mark.x >= start && mark.x <= end)
    .map((mark) => {
      const px = x(mark.x)
      const side = px > (left + right) / 2 ? 'end' : ''
      return [
        line(px, top + down, px, bottom + down, 'guide'),
        text(px + (side ? 4 : -4), top + down - 5, mark.label, side),
      ]
    })
}

function curves({ series, xLabel }: LinePlot, { x, y }: Frame): Child {
  const path = lineShape<Point>()
    .defined(isFinitePoint)
    .x(([value]) => x(value))
    .y(([, value]) => y(value))
  const dot = (label: string, [px, py]: Point) =>
    h(
      'circle',
      { class: 'fill', cx: x(px), cy: y(py), r: 3 },
      h('title', {}, `${label}: ${short(py)} at ${xLabel} ${short(px)}`),
    )
  return series.map(({ label, points }, i) =>
    h(
      'g',
      { class: color(i) },
      h('path', { class: 'stroke', d: path(points) ?? '' }),
      dotsOf(points).map((point) => dot(label, point)),
    ),
  )
}

const isFinitePoint = ([x, y]: Point) => Number.isFinite(x) && Number.isFinite(y)

/** All points if there are few, and points alone between two gaps, which no line would show. */
function dotsOf(points: readonly Point[]): Point[] {
  const drawn = (i: number) => i >= 0 && i < points.length && isFinitePoint(points[i])
  return points.filter((_, i) => drawn(i) && (points.length <= maxDots || !(drawn(i - 1) || drawn(i + 1))))
}
