/** The pictures of a stage on their way into the cache, as the person sees it. */
import type { Pictures } from '../../data/pictures/pictures.js'
import { kindsOf } from '../../data/pictures/rejected.js'
import type { Run } from '../../train/run.js'

/**
 * `prepare` below a bar of `count` pictures.
 * @throws Interrupted when Ctrl-C is pressed; what was decoded stays.
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

/** Says which pictures are not as they should be: broken ones, listed in `file`, and those that the cache has no room for. */
export function tellPictures(run: Run, title: string, { rejected, streamed }: Pictures, file: string): void {
  if (rejected.length > 0) run.say(`${title}: ${rejected.length} are broken (${kindsOf(rejected)}; see ${file})`)
  if (streamed > 0) run.say(`${title}: ${streamed} do not fit into data.cacheLimit and are decoded for each batch`)
}
