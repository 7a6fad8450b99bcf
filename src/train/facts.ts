/** The facts of a data set as lines of text and as JSON. */
import type { DataFacts, JoinFacts, TableFacts } from '../data/facts.js'

/** Names and values in the order in which a user reads them; a name that is empty continues the fact before. */
export function factRows({ tables, joins, notes }: DataFacts): (readonly [name: string, value: string])[] {
  return [
    ...tables.flatMap((facts) => [
      [facts.table, `${facts.path}: ${contentText(facts)}`] as const,
      ['', columnsText(facts)] as const,
    ]),
    ...joins.map((join, i) => [i === 0 ? 'joins' : '', joinText(join)] as const),
    ...notes.map((note, i) => [i === 0 ? 'notes' : '', note] as const),
  ]
}

/** The block that is printed before training. */
export function factLines(facts: DataFacts): string[] {
  const rows = factRows(facts)
  if (rows.length === 0) return []
  const width = Math.max(...rows.map(([name]) => name.length))
  return ['data', ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)]
}

/** As in `metrics.json`. */
export function factMetrics({ tables, joins, notes }: DataFacts): Record<string, unknown> {
  const share = ({ matched, of }: JoinFacts) => (of === 0 ? null : matched / of)
  return { tables, joins: joins.map((join) => ({ ...join, share: share(join) })), notes }
}

const count = (value: number, of: string) => `${value.toLocaleString('en-US')} ${of}`
const percent = (share: number) => `${(100 * share).toFixed(1)} %`

/** E.g. `1,500 rows, 40 users, 80 items, 2024-03-01 00:05 to 2024-03-30 23:50 UTC, CTR 21.3 %`. */
function contentText({ rows, users, items, from, to, times, click_rate, actions, ...facts }: TableFacts): string {
  const { approximate, width, norms } = facts
  const moment = (time: string) => time.slice(0, 16).replace('T', ' ')
  const range = from && to ? `${moment(from)} to ${moment(to)} UTC` : undefined
  const ids = (value: number, of: string) => (approximate ? `about ${count(value, of)}` : count(value, of))
  const shown = [
    count(rows, 'rows'),
    width && `${width} numbers each`,
    norms && `norms ${norms.map((norm) => Number(norm.toPrecision(3))).join(' to ')}`,
    users === undefined ? undefined : ids(users, 'users'),
    items === undefined ? undefined : ids(items, 'items'),
    range && (times ? `${range} (${times})` : range),
    click_rate === undefined ? undefined : `CTR ${percent(click_rate)}`,
    actions &&
      `actions: ${Object.entries(actions)
        .map(([name, rows]) => count(rows, name))
        .join(', ')}`,
  ]
  return shown.filter((fact) => fact !== undefined).join(', ')
}

function columnsText({ used, unused }: TableFacts): string {
  return `columns ${used.join(', ')}${unused.length > 0 ? `; not used: ${unused.join(', ')}` : ''}`
}

/** E.g. `impressions → items: 97.5 % (78 of 80)`. */
function joinText({ join, matched, of }: JoinFacts): string {
  return `${join}: ${of === 0 ? 'nothing to match' : `${percent(matched / of)} (${matched.toLocaleString('en-US')} of ${of.toLocaleString('en-US')})`}`
}
