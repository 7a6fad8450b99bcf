/** Limited concurrency for work that waits for threads or disks. */

/** Concurrent calls; enough to keep the threads of sharp, or a disk, busy. */
const inFlight = 8

/** Calls `make` for every item, a few at a time; results are in order of the items. `onDone` gets the number finished. */
export async function inParallel<T, R>(
  items: readonly T[],
  make: (item: T, index: number) => Promise<R> | R,
  onDone?: (done: number) => void,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  let [next, done] = [0, 0]
  const worker = async () => {
    while (next < items.length) {
      const i = next++
      try {
        results[i] = await make(items[i], i)
      } catch (error) {
        // The other workers finish their current item and take no new one.
        next = items.length
        throw error
      }
      onDone?.(++done)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return results
}
