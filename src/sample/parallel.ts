/** Work that waits for threads or disks, a few pieces at a time. */

/** Enough to keep the threads of sharp, or a disk, busy. */
const inFlight = 8

/** `make` for every item, a few at a time; results in order of the items. `onDone` hears how many are finished. */
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
        // The others finish what they are at and take nothing new.
        next = items.length
        throw error
      }
      onDone?.(++done)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return results
}
