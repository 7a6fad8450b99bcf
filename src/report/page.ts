/** A report is one self-contained HTML file. */
import { type Child, h, Markup } from './markup.js'
import { style } from './style.js'

/** A name and its value; facts without a value are left out. */
export type Fact = readonly [name: string, value: string | undefined]

/** A number in large type. */
export interface Tile {
  value: string
  label: string
}

export interface Page {
  title: string
  facts: readonly Fact[]
  tiles?: readonly Tile[]
  content: readonly Child[]
}

export function page({ title, facts, tiles = [], content }: Page): string {
  const head = h(
    'head',
    {},
    h('meta', { charset: 'utf-8' }),
    h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    h('title', {}, title),
    h('style', {}, new Markup(style)),
  )
  const known = facts.filter(([, value]) => value !== undefined)
  const body = h(
    'main',
    {},
    h('h1', {}, title),
    h(
      'dl',
      { class: 'facts' },
      known.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    ),
    tiles.length > 0 &&
      h(
        'ul',
        { class: 'tiles' },
        tiles.map(({ value, label }) => h('li', { class: 'tile' }, h('b', {}, value), h('span', {}, label))),
      ),
    content,
  )
  return `<!DOCTYPE html>\n${h('html', { lang: 'en' }, head, h('body', {}, body)).html}\n`
}

/** A heading, a sentence below it, and its content. */
export function section(title: string, hint: string | undefined, ...content: Child[]): Markup {
  return h('section', {}, h('h2', {}, title), hint !== undefined && h('p', {}, hint), content)
}

/** Charts side by side, as many as fit the width of the page. */
export const plots = (...figures: Child[]): Markup => h('div', { class: 'plots' }, figures)

export interface Cell {
  text: string
  /** Text in small type after it. */
  small?: string
  style?: 'number' | 'meaning' | 'number best'
}

/** A table; the first cell of a row is its name. Without header cells it has no head. */
export function table(header: readonly Cell[], rows: readonly (readonly Cell[])[]): Markup {
  const cell = (tag: string, { text, small, style }: Cell) =>
    h(tag, { class: style }, text, small !== undefined && [' ', h('small', {}, small)])
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      header.length > 0 &&
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            header.map((c) => cell('th', c)),
          ),
        ),
      h(
        'tbody',
        {},
        rows.map(([first, ...rest]) =>
          h(
            'tr',
            {},
            cell('th', first),
            rest.map((c) => cell('td', c)),
          ),
        ),
      ),
    ),
  )
}
