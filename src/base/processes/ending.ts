/** Work at the end of the process, also when a signal or an error ends it: locks and temporary files do not outlive it. */

const pending = new Set<() => void>()

/** Calls `work` at the end of the process, unless the result is disposed before. `work` must not wait for anything. */
export function atEnd(work: () => void): Disposable {
  if (pending.size === 0) process.on('exit', end)
  pending.add(work)
  return {
    [Symbol.dispose]() {
      pending.delete(work)
      if (pending.size === 0) process.off('exit', end)
    },
  }
}

/** The latest first: what was opened last is closed first. */
function end(): void {
  for (const work of [...pending].reverse()) {
    try {
      work()
    } catch {
      // The next start cleans up instead.
    }
  }
}
