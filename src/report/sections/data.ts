import { type Child, h } from '../markup.js'
import { section, table } from '../page.js'

/** The facts of the data, by name; a name that is empty continues the fact before. */
export function dataSection(rows: readonly (readonly [name: string, value: string])[]): Child {
  if (rows.length === 0) return undefined
  const body = rows.map(([name, value]) => [{ text: name }, { text: value }])
  return section('Data', 'What the stage has read, as it was printed before the start.', table([], body))
}

/** What is likely wrong, in full sentences. */
export function warningsSection(texts: readonly string[]): Child {
  if (texts.length === 0) return undefined
  return section(
    'Warnings',
    undefined,
    h(
      'ul',
      { class: 'warnings' },
      texts.map((text) => h('li', {}, text)),
    ),
  )
}
