/** Data to try things on: made up from a seed, or a part of what is there. */
export { generateSample, type SampleOptions, type SampleSummary } from './generate.js'
export type { Outcome, Progress } from './once.js'
export type { SampleSize } from './parameters.js'
export { type SubsampleOptions, type SubsampleSummary, subsample } from './subsample.js'
