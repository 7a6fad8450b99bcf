/** Reports progress and results of decoding a stage's pictures into the cache. */
import type { Pictures } from '../../data/pictures/pictures.js'
import { brokenWarning, countKinds, rejectedFile } from '../../data/pictures/rejected.js'
import type { Run } from '../../train/run.js'

/**
 * Runs `prepare` with a progress bar of `count` pictures.
 * @throws Interrupted when Ctrl-C is pressed; pictures that are decoded stay in the cache.
 */
export async function decoding<T>(
  run: Run,
  title: string,
  count: number,
  prepare: (progress: (done: number) => void) => Promise<T>,
): Promise<T> {
  const bar = run.terminal.bar(title, count)
  try {
    return await prepare((done) => {
      bar.update(done)
      if (run.isInterrupted) throw run.interruption()
    })
  } finally {
    bar.stop()
  }
}

/** Warns of broken pictures and reports pictures that do not fit into the cache. */
export function tellPictures(run: Run, title: string, pictures: Pictures, { where, list }: TellOptions): void {
  const { rejected, present, streamed } = pictures
  const count = present.reduce((sum, one) => sum + one, rejected.length)
  const warning = brokenWarning(countKinds(rejected), { pictures: count, where, list }, title)
  if (warning) run.warn(warning)
  if (streamed > 0)
    run.say(`${title}: ${streamed} do not fit into data.cacheLimit and are decoded again for each batch`)
}

interface TellOptions {
  /** Table and column. */
  where: string
  /** Parquet file that lists the broken ones. */
  list: string | undefined
}

/** Path of the list of broken pictures in the run folder; undefined for a dry run, which keeps no files. */
export const rejectedList = (run: Run, name = rejectedFile) => (run.isDry ? undefined : run.path(name))
