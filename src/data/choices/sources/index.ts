import { contentFiltered } from './contentFiltered.js'
import { queryClick } from './queryClick.js'
import { queryExposure } from './queryExposure.js'
import { queryPurchase } from './queryPurchase.js'
import { session } from './session.js'
import type { PositiveSource } from './source.js'

/**
 * The sources of positive pairs. The option `positives.sources`, the options of each source, the report and
 * `mim sft --ablate positives` follow from this list.
 *
 * To add a source: write a file in this folder that exports a `PositiveSource` (source.ts), add it to this list, and add
 * a test of its pairs to test/data/choices/positives.test.ts.
 */
export const positiveSources = [queryPurchase, queryClick, queryExposure, session, contentFiltered] as const

type Source = (typeof positiveSources)[number]
export type SourceName = Source['name']
type OptionsOf<S extends Source> = S extends Source ? keyof S['options'] : never
/** Values of the options of all sources. */
export type SourceOptions = Record<OptionsOf<Source>, number>

/** Names of the sources, in the order of the list. */
export const sourceNames = positiveSources.map(({ name }) => name)

export const sourceOf = (name: SourceName): PositiveSource => positiveSources.find((source) => source.name === name)!
