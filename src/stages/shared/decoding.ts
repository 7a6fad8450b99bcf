/** Reports progress and results of decoding a stage's pictures into the cache. */
import type { Pictures } from '../../data/pictures/pictures.js'
import { kindsOf } from '../../data/pictures/rejected.js'
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

/** Logs the number of broken pictures, listed in `file`, and of pictures that do not fit into the cache. */
export function tellPictures(run: Run, title: string, { rejected, streamed }: Pictures, file: string): void {
  if (rejected.length > 0) run.say(`${title}: ${rejected.length} are broken (${kindsOf(rejected)}; see ${file})`)
  if (streamed > 0)
    run.say(`${title}: ${streamed} do not fit into data.cacheLimit and are decoded again for each batch`)
}
