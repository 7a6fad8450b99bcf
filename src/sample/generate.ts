/** A made-up data set whose truth is known, to try every stage on. */

import { checkSeed, extentOf, parameters, type SampleSize } from './market/parameters.js'
import { simulate } from './market/simulate.js'
import { writeTables } from './market/tables.js'
import { measure, type Truth } from './market/truth.js'
import { digest, makeOnce, type Outcome, type Progress } from './once.js'

export interface SampleOptions {
  /** Folder to make. */
  out: string
  /** A name or a number of items. */
  size: SampleSize
  /** A whole number; the same seed and size give the same rows. */
  seed: number
}

/** What `truth.json` holds. */
export interface SampleSummary extends Truth {
  /** What the sample was made from; `constants` is a digest of everything in `parameters`. */
  parameters: { size: SampleSize; seed: number; constants: string }
}

/**
 * Makes items.parquet, behaviors.parquet, impressions.parquet, query_images/ and truth.json in `out`, or finds that
 * they were made from the same parameters.
 * @throws UserError `out-exists` where `out` holds anything else, `sample-size` and `sample-seed` where these are none.
 */
export async function generateSample(options: SampleOptions, progress?: Progress): Promise<Outcome<SampleSummary>> {
  const { out, size, seed } = options
  checkSeed(seed)
  extentOf(size)
  return makeOnce(out, 'truth.json', { size, seed, constants: digest(parameters) }, async (folder) => {
    progress?.('behavior log', 0, 1)
    const market = simulate(size, seed)
    const { items, users, requests, log } = market
    const counts = { items: items.length, users: users.length, requests: requests.length }
    progress?.('behavior log', 1, 1)
    await writeTables(folder, market, seed, progress)
    return { ...counts, ...measure(log, items.length) }
  })
}
