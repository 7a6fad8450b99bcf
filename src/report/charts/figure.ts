/** Parts of all charts: frame, caption, legend, and a note where there are no data. */
import { type Child, h, type Markup } from '../markup.js'

export interface Caption {
  title: string
  /** How to read it, in one sentence. */
  hint?: string
  /** Uses the full width of the page. */
  wide?: boolean
}

/** Number of colors in the style sheet, classes c0, c1, …; further series reuse them. */
const colors = 6

export const color = (series: number) => `c${series % colors}`
/** Color of the series that others are compared with. */
export const gray = `c${colors - 1}`

/** An SVG picture with its caption; screen readers read its title. */
export function figure({ title, hint, wide }: Caption, [width, height]: [number, number], ...content: Child[]): Markup {
  const svg = h(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', xmlns: 'http://www.w3.org/2000/svg' },
    h('title', {}, hint ? `${title}: ${hint}` : title),
    ...content,
  )
  return withCaption({ title, hint, wide }, svg)
}

export function nothingToDraw(caption: Caption): Markup {
  return withCaption(caption, h('p', { class: 'nothing' }, 'no data'))
}

function withCaption({ title, hint, wide }: Caption, content: Markup): Markup {
  return h(
    'figure',
    { class: wide ? 'wide' : undefined },
    h('figcaption', {}, h('b', {}, title), hint !== undefined && h('span', {}, hint)),
    content,
  )
}

/** Names of the series inside the picture, in lines of at most `width` pixels; empty for a single series. */
export function legend(
  labels: readonly string[],
  [left, top]: [number, number],
  width: number,
  colorOf: (series: number) => string = color,
) {
  const lineHeight = 18
  if (labels.length < 2) return { height: 0, content: [] }
  let [x, line] = [0, 0]
  const content = labels.map((label, i) => {
    const room = 26 + textWidth(label)
    if (x > 0 && x + room > width) [x, line] = [0, line + 1]
    const at = { x: left + x, y: top + line * lineHeight }
    x += room
    return h(
      'g',
      { class: colorOf(i) },
      h('rect', { class: 'fill', x: at.x, y: at.y - 9, width: 10, height: 10, rx: 2 }),
      h('text', { x: at.x + 15, y: at.y }, label),
    )
  })
  return { height: (line + 1) * lineHeight, content }
}

/** Approximate width of a text in the 12 px type of the charts. */
export const textWidth = (text: string) => Math.ceil(text.length * 6.6)

export function line(x1: number, y1: number, x2: number, y2: number, style: string): Markup {
  return h('line', { class: style, x1, y1, x2, y2 })
}

export function text(x: number, y: number, content: Child, style?: string): Markup {
  return h('text', { x, y, class: style }, content)
}
