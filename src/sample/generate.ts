/** A synthetic data set with known ground truth, for every stage. */

import { requireHeap } from '../base/capacity.js'
import { checkSeed, extentOf, parameters, type SampleSize } from './market/parameters.js'
import { simulate } from './market/simulate.js'
import { writeTables } from './market/tables.js'
import { measure, type Truth } from './market/truth.js'
import { digest, makeOnce, type Outcome, type Progress } from './once.js'

export interface SampleOptions {
  /** Folder to make. */
  out: string
  /** A named size or a number of items. */
  size: SampleSize
  /** A whole number; the same seed and size give the same rows. */
  seed: number
}

/** What `truth.json` holds. */
export interface SampleSummary extends Truth {
  /** What the sample was generated from; `constants` is a hash of everything in `parameters`. */
  parameters: { size: SampleSize; seed: number; constants: string }
}

/** Bytes that an item takes at least, with its part of the users, requests and impressions. */
const itemBytes = 8000

/**
 * Writes items.parquet, behaviors.parquet, impressions.parquet, query_images/ and truth.json to `out`, unless it
 * contains those of the same parameters.
 * @throws UserError `out-exists` if `out` contains anything else; `memory`; `sample-size`, `sample-seed` for invalid values.
 */
export async function generateSample(options: SampleOptions, progress?: Progress): Promise<Outcome<SampleSummary>> {
  const { out, size, seed } = options
  checkSeed(seed)
  const extent = extentOf(size)
  return makeOnce(out, 'truth.json', { size, seed, constants: digest(parameters) }, async (folder) => {
    requireHeap(extent.items * itemBytes, `a sample of ${extent.items} items`, 'use a smaller --size')
    progress?.('behavior log', 0, 1)
    const market = simulate(size, seed)
    const { items, users, requests, log } = market
    const counts = { items: items.length, users: users.length, requests: requests.length }
    progress?.('behavior log', 1, 1)
    await writeTables(folder, market, seed, progress)
    return { ...counts, ...measure(log, items.length) }
  })
}
