/** Queries and their results as pictures and titles. */
import { h, type Markup } from '../markup.js'
import { section } from '../page.js'

export interface Card {
  /** Data URI of a thumbnail. */
  picture?: string
  text?: string | null
  /** E.g. its rank. */
  note?: string
  /** Whether it is the right answer. */
  right?: boolean
}

export interface QueryResult {
  /** The query: a picture, a text, or both; `chosen` is shown next to it. */
  query: Card
  chosen?: Card
  /** Results, best first: a list if all are titles only, else cards side by side. */
  found: readonly Card[]
}

/** Undefined if no card has a picture. */
export function gallery(title: string, hint: string, results: readonly QueryResult[]): Markup | undefined {
  const cards = results.flatMap(({ query, chosen, found }) => [query, ...(chosen ? [chosen] : []), ...found])
  if (!cards.some(({ picture }) => picture)) return undefined
  const isTextOnly = results.every(({ found }) => found.every(({ picture }) => !picture))
  return section(
    title,
    hint,
    h(
      'div',
      { class: isTextOnly ? 'queries' : 'queries wide' },
      results.map(({ query, chosen, found }) =>
        h(
          'div',
          { class: 'result' },
          h('div', { class: chosen ? 'query two' : 'query' }, card(query), chosen && card(chosen)),
          h(
            'ol',
            { class: isTextOnly ? 'found texts' : 'found' },
            found.map((c) => h('li', {}, isTextOnly ? words(c) : card(c))),
          ),
        ),
      ),
    ),
  )
}

function card({ picture, text, note, right }: Card): Markup {
  const name = text ?? ''
  const isText = !picture && name !== ''
  const frame = picture ? h('img', { src: picture, alt: name }) : name || 'no picture'
  return h(
    'div',
    { class: ['card', isText && 'words', right && 'right'].filter(Boolean).join(' '), title: name || undefined },
    h('div', { class: 'frame' }, frame),
    picture && name && h('span', { class: 'name' }, name),
    note !== undefined && h('span', { class: 'note' }, note),
  )
}

function words({ text, note, right }: Card): Markup {
  return h(
    'span',
    { class: right ? 'text right' : 'text' },
    text ?? '',
    note !== undefined && h('span', { class: 'note' }, note),
  )
}
