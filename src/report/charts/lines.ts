import { h, type Markup } from '../markup.js'
import { type Caption, color, figure, legend, line, nothingToDraw, text } from './figure.js'
import { extent, linear, type Range, rounded, short, ticks, widened } from './scale.js'

/** A point whose x or y is not finite leaves a gap. */
export type Point = readonly [x: number, y: number]

export interface LinePlot extends Caption {
  xLabel: string
  yLabel: string
  series: readonly { label: string; points: readonly Point[] }[]
  /** Vertical lines, e.g. the best step. */
  marks?: readonly { x: number; label: string }[]
  /** Both axes from 0 to the same end, with the diagonal drawn. */
  square?: boolean
  /** Ends of the axes; default: those of the points, the y axis stretched to round numbers. */
  xRange?: Range
  yRange?: Range
}

const width = 480
const height = 280
/** Places of the plot area's edges; legend and marks push it down, and the whole picture grows by them. */
const [left, right, top, bottom] = [56, 464, 16, 236]
/** Up to so many points of a line are dots too. */
const dots = 40

/** Lines over a common axis: the plot area is x 56…464, y 16…236 of 480 × 280, below any legend and marks. */
export function linePlot(plot: LinePlot): Markup {
  const { series, square, marks = [] } = plot
  const points = series.flatMap((s) => s.points).filter(isFinitePoint)
  const xs = extent(points.map(([x]) => x))
  const ys = extent(points.map(([, y]) => y))
  if (!xs || !ys) return nothingToDraw(plot)
  const end = square ? rounded([0, Math.max(xs[1], ys[1], Number.MIN_VALUE)])[1] : 0
  const xRange = plot.xRange ?? (square ? ([0, end] as const) : widened(xs))
  const yRange = plot.yRange ?? (square ? ([0, end] as const) : rounded(widened(ys)))
  const named = legend(
    series.map(({ label }) => label),
    [left, top + 4],
    right - left,
  )
  // Names of the marks stand above the plot area, where no line crosses them.
  const above = named.height + (marks.length > 0 ? 12 : 0)
  const x = linear(xRange, [left, right])
  const y = linear(yRange, [bottom + above, top + above])

  const grid = [
    ticks(yRange).map((value) => [
      line(left, y(value), right, y(value), 'grid'),
      text(left - 6, y(value) + 4, short(value), 'end quiet'),
    ]),
    ticks(xRange).map((value) => text(x(value), bottom + above + 17, short(value), 'middle quiet')),
    line(left, bottom + above, right, bottom + above, 'axis'),
    text((left + right) / 2, bottom + above + 36, plot.xLabel, 'middle quiet'),
    h(
      'text',
      { transform: `translate(12 ${(top + bottom) / 2 + above}) rotate(-90)`, class: 'middle quiet' },
      plot.yLabel,
    ),
  ]
  const diagonal = square && line(x(0), y(0), x(end), y(end), 'guide')
  const vertical = marks
    .filter((mark) => mark.x >= xRange[0] && mark.x <= xRange[1])
    .map((mark) => {
      const at = x(mark.x)
      const side = at > (left + right) / 2 ? 'end' : ''
      return [
        line(at, top + above, at, bottom + above, 'guide'),
        text(at + (side ? 4 : -4), top + above - 5, mark.label, side),
      ]
    })
  const drawn = series.map((s, i) =>
    h(
      'g',
      { class: color(i) },
      h('path', { class: 'stroke', d: path(s.points, x, y) }),
      dotsOf(s.points).map(([px, py]) =>
        h(
          'circle',
          { class: 'fill', cx: x(px), cy: y(py), r: 3 },
          h('title', {}, `${s.label}: ${short(py)} at ${plot.xLabel} ${short(px)}`),
        ),
      ),
    ),
  )
  return figure(plot, [width, height + above], named.content, grid, diagonal, vertical, drawn)
}

const isFinitePoint = ([x, y]: Point) => Number.isFinite(x) && Number.isFinite(y)

/** Dots where there are few points, and for one that stands alone between gaps, which no line would show. */
function dotsOf(points: readonly Point[]): Point[] {
  const shown = (i: number) => i >= 0 && i < points.length && isFinitePoint(points[i])
  return points.filter((_, i) => shown(i) && (points.length <= dots || !(shown(i - 1) || shown(i + 1))))
}

function path(points: readonly Point[], x: (v: number) => number, y: (v: number) => number): string {
  let pen = 'M'
  const parts: string[] = []
  for (const point of points) {
    if (isFinitePoint(point)) parts.push(`${pen}${x(point[0])} ${y(point[1])}`)
    pen = isFinitePoint(point) ? 'L' : 'M'
  }
  return parts.join('')
}
