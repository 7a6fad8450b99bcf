/** How many items a run of the encoder should have, tried out on this machine. */
import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { messageOf } from '../base/errors.js'

/** Sizes that are tried, from small to large. */
const sizes = [8, 16, 32, 64, 128, 256, 512, 1024]
/** A larger batch must be faster by this share, else the smaller is kept: it takes less memory. */
const gain = 0.05
/** Share of the free memory that a batch may take. */
const share = 0.5

export interface Trial {
  size: number
  /** Why no larger one was taken. */
  reason: string
}

/** What a trial looks at, besides the run itself. */
export interface Machine {
  /** Bytes that this process holds, and bytes that it could still take. */
  held: () => number
  free: () => number
  /** Milliseconds. */
  now: () => number
}

const thisMachine: Machine = { held: () => process.memoryUsage.rss(), free: freeBytes, now: () => performance.now() }

/**
 * Doubles the batch while `run`, one run of that many items, stays within memory and gets faster for each item.
 * A run that fails, as one does that a GPU has no room for, ends the trial; the smallest must succeed.
 */
export async function fittingBatch(run: (size: number) => Promise<void>, machine = thisMachine): Promise<Trial> {
  let best = { size: sizes[0], perItem: Infinity }
  for (const size of sizes) {
    const [held, free] = [machine.held(), machine.free()]
    let perItem: number
    try {
      await run(size)
      const started = machine.now()
      await run(size)
      perItem = (machine.now() - started) / size
    } catch (error) {
      if (size === sizes[0]) throw error
      return { size: best.size, reason: `${size} fail: ${messageOf(error).split('\n')[0]}` }
    }
    if (perItem > best.perItem * (1 - gain)) return { size: best.size, reason: `${size} are no faster` }
    best = { size, perItem }
    // A batch of twice the size takes about twice what this one took.
    if (2 * (machine.held() - held) > share * free) return { size, reason: 'more would fill the memory' }
  }
  return { size: best.size, reason: 'more are not tried' }
}

/** Free memory, by the limit of the container where there is one. */
function freeBytes(): number {
  const read = (name: string) => {
    try {
      return Number(readFileSync(`/sys/fs/cgroup/${name}`, 'utf8'))
    } catch {
      return Number.NaN
    }
  }
  const left = read('memory.max') - read('memory.current')
  return Number.isFinite(left) ? Math.min(left, freemem()) : freemem()
}
