/** `mim sample`: a made-up data set whose truth is known, to try every stage on. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { UserError } from '../errors.js'
import { inNewFolder } from './folder.js'
import { parameters, type SampleSize } from './parameters.js'
import { simulate } from './simulate.js'
import { type Progress, writeTables } from './tables.js'
import { measure, type Truth } from './truth.js'

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
 * Makes items.parquet, behaviors.parquet, impressions.parquet, query_images/ and truth.json in `out`. Where `out`
 * holds a sample made from the same parameters, gives its summary and does nothing. UserErrors: `out-exists` where
 * `out` holds anything else, `sample-size` and `sample-seed` where these are none.
 */
export async function generateSample(options: SampleOptions, progress?: Progress): Promise<SampleSummary> {
  const { out, size, seed } = options
  if (!Number.isSafeInteger(seed))
    throw new UserError({ id: 'sample-seed', what: `sample seed ${seed}`, expected: 'a whole number' })
  const made = { size, seed, constants: digest(parameters) }
  const existing = await summaryIn(out)
  if (existing && isDeepStrictEqual(existing.parameters, made)) return existing

  return inNewFolder(out, async (folder) => {
    progress?.('behaviour log', 0, 1)
    const market = simulate(size, seed)
    const { items, users, requests, log } = market
    const counts = { items: items.length, users: users.length, requests: requests.length }
    const summary = { parameters: made, ...counts, ...measure(log, items.length) }
    progress?.('behaviour log', 1, 1)
    await writeTables(folder, market, seed, progress)
    await writeFile(join(folder, 'truth.json'), `${JSON.stringify(summary, null, 2)}\n`)
    return summary
  })
}

async function summaryIn(folder: string): Promise<SampleSummary | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'truth.json'), 'utf8'))
  } catch {
    // No summary, or not one of ours: whether the folder is free is seen when it is made.
    return undefined
  }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
