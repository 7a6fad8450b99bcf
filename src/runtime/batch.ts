/** Finds the batch size of an encoder by trials on this machine. */
import { freeMemory } from '../base/capacity.js'
import { messageOf } from '../base/errors.js'

/** Batch sizes to try. */
const sizes = [8, 16, 32, 64, 128, 256, 512, 1024]
/** A larger batch must be faster per item by this share; otherwise the smaller one is kept, to save memory. */
const gain = 0.05
/** Share of the free memory that a batch may take. */
const memoryShare = 0.5

export interface Trial {
  size: number
  /** Why no larger size was chosen. */
  reason: string
}

/** Measurements of the machine; tests replace them. */
export interface Machine {
  /** Bytes of memory that this process uses, and bytes that are free. */
  used: () => number
  free: () => number
  /** Milliseconds. */
  now: () => number
}

const thisMachine: Machine = { used: () => process.memoryUsage.rss(), free: freeMemory, now: () => performance.now() }

/**
 * Doubles the batch size while `run`, which encodes so many items, fits into memory and gets faster per item. A run
 * that fails, e.g. for lack of GPU memory, ends the trials; the smallest size must succeed.
 */
export async function fittingBatch(run: (size: number) => Promise<void>, machine = thisMachine): Promise<Trial> {
  let best = { size: sizes[0], perItem: Infinity }
  for (const size of sizes) {
    const [usedBefore, free] = [machine.used(), machine.free()]
    let perItem: number
    try {
      await run(size)
      const started = machine.now()
      await run(size)
      perItem = (machine.now() - started) / size
    } catch (error) {
      if (size === sizes[0]) throw error
      return { size: best.size, reason: `a batch of ${size} fails: ${messageOf(error).split('\n')[0]}` }
    }
    if (perItem > best.perItem * (1 - gain)) return { size: best.size, reason: `a batch of ${size} is no faster` }
    best = { size, perItem }
    // Twice the size takes about twice the memory.
    if (2 * (machine.used() - usedBefore) > memoryShare * free) return { size, reason: 'more would fill the memory' }
  }
  return { size: best.size, reason: 'the largest size' }
}
