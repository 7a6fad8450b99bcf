/** What was asked and what was found, as people see it: pictures and titles. */
import { h, type Markup } from '../markup.js'
import { section } from '../page.js'

export interface Card {
  /** Data URI of a thumbnail. */
  picture?: string
  text?: string | null
  /** E.g. its place among the found ones. */
  note?: string
  /** The answer that was hoped for. */
  right?: boolean
}

export interface Ask {
  /** A picture, a text, or both; with `chosen` beside it where one is known. */
  asked: Card
  chosen?: Card
  /** Best first; titles alone are set as a list, cards with pictures side by side. */
  found: readonly Card[]
}

/** Undefined where no card has a picture: there is nothing to look at. */
export function gallery(title: string, hint: string, asks: readonly Ask[]): Markup | undefined {
  const cards = asks.flatMap(({ asked, chosen, found }) => [asked, ...(chosen ? [chosen] : []), ...found])
  if (!cards.some(({ picture }) => picture)) return undefined
  const inWords = asks.every(({ found }) => found.every(({ picture }) => !picture))
  return section(
    title,
    hint,
    h(
      'div',
      { class: inWords ? 'asks' : 'asks wide' },
      asks.map(({ asked, chosen, found }) =>
        h(
          'div',
          { class: 'ask' },
          h('div', { class: chosen ? 'asked two' : 'asked' }, card(asked), chosen && card(chosen)),
          h(
            'ol',
            { class: inWords ? 'found texts' : 'found' },
            found.map((c) => h('li', {}, inWords ? words(c) : card(c))),
          ),
        ),
      ),
    ),
  )
}

function card({ picture, text, note, right }: Card): Markup {
  const name = text ?? ''
  const isWords = !picture && name !== ''
  const frame = picture ? h('img', { src: picture, alt: name }) : name || 'no picture'
  return h(
    'div',
    { class: ['card', isWords && 'words', right && 'right'].filter(Boolean).join(' '), title: name || undefined },
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
