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

export interface Ask {
  /** The query: a picture, a text, or both; `chosen` is shown next to it. */
  asked: Card
  chosen?: Card
  /** Results, best first: a list if all are titles only, else cards side by side. */
  found: readonly Card[]
}

/** Undefined if no card has a picture. */
export function gallery(title: string, hint: string, asks: readonly Ask[]): Markup | undefined {
  const cards = asks.flatMap(({ asked, chosen, found }) => [asked, ...(chosen ? [chosen] : []), ...found])
  if (!cards.some(({ picture }) => picture)) return undefined
  const isTextOnly = asks.every(({ found }) => found.every(({ picture }) => !picture))
  return section(
    title,
    hint,
    h(
      'div',
      { class: isTextOnly ? 'asks' : 'asks wide' },
      asks.map(({ asked, chosen, found }) =>
        h(
          'div',
          { class: 'ask' },
          h('div', { class: chosen ? 'asked two' : 'asked' }, card(asked), chosen && card(chosen)),
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
