/** Looks up what the names of metrics mean. `definitions.ts` is the only place that describes a metric. */
import { definitions, type MetricDefinition } from './definitions.js'

/** Prefixes of names: one metric may be measured several times in a run. By prefix, what readers call it. */
export const variants = {
  before: 'before',
  after: 'result',
  valid: 'validation',
  popularity: 'by popularity',
  cooccurrence: 'by co-occurrence',
} as const
export type Variant = keyof typeof variants

/** `valid_recall_10` → variant `valid` of metric `recall_10`. */
export function splitName(name: string): { variant?: Variant; metric: string } {
  const variant = (Object.keys(variants) as Variant[]).find((prefix) => name.startsWith(`${prefix}_`))
  return variant ? { variant, metric: name.slice(variant.length + 1) } : { metric: name }
}

const placeholders = /\{(k|kind)\}/g
const patterns = definitions.map((definition) => {
  const pattern = definition.name.replaceAll('{k}', '(?<k>\\d+)').replaceAll('{kind}', '(?<kind>[a-z_]+)')
  return { definition, pattern: new RegExp(`^${pattern}$`) }
})

/** A definition with the placeholders filled in for one name. */
export type Metric = MetricDefinition & { label: string }

/** What is known of a metric, given its name with or without a variant; undefined for a name without a definition. */
export function metricOf(name: string): Metric | undefined {
  const { metric } = splitName(name)
  for (const { definition, pattern } of patterns) {
    const found = pattern.exec(metric)
    if (!found) continue
    const fill = (text: string) =>
      text.replace(placeholders, (_, key: string) => found.groups![key].replaceAll('_', ' '))
    const { label, meaning, chart, printed } = definition
    return {
      ...definition,
      label: label ? fill(label) : inWords(metric),
      meaning: fill(meaning),
      chart: chart && { title: fill(chart.title), line: fill(chart.line) },
      printed: printed === true || printed?.includes(Number(found.groups?.['k'])) || undefined,
    }
  }
  return undefined
}

/** What readers call a metric, without its variant. */
export const labelOf = (name: string) => metricOf(name)?.label ?? inWords(splitName(name).metric)

/** `top_recall_10` → `top recall@10`. */
const inWords = (name: string) => name.replace(/_(\d+)(?=_|$)/, '@$1').replaceAll('_', ' ')

/** What a metric says, with its unit, and that less is better where it is; empty for an unknown name. */
export function meaningOf(name: string): string {
  const metric = metricOf(name)
  if (!metric) return ''
  const { meaning, unit, better } = metric
  return `${meaning}${unit ? ` (${unit})` : ''}${better === 'less' ? '; lower is better' : ''}`
}

/** Whether the line about an evaluation prints the metric. */
export const isPrinted = (name: string) => metricOf(name)?.printed !== undefined
