import type { Variant } from '../metrics/index.js'

/** Names of metrics with a variant in front: `before_recall_10`. */
export function prefixed(variant: Variant, metrics: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${variant}_${name}`, value]))
}
