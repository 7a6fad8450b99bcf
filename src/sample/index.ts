/** Sample data: synthetic, from a seed, or a subsample of a data set. */
export { generateSample, type SampleOptions, type SampleSummary } from './generate.js'
export { generateLarge, type LargeOptions, type LargeSummary } from './large.js'
export type { SampleSize } from './market/parameters.js'
export { generateSearches, type SearchesOptions, type SearchesSummary } from './market/searches.js'
export type { Outcome, Progress } from './once.js'
export { type SubsampleOptions, type SubsampleSummary, subsample } from './subsample.js'
