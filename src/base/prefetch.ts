/** Runs a generator up to `depth` values ahead of its consumer, so that producing and consuming overlap. */
export async function* prefetch<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  const pending: Promise<IteratorResult<T>>[] = []
  const more = () => {
    const next = iterator.next()
    // A failure is reported when it is awaited, not as an unhandled rejection.
    next.catch(() => {})
    pending.push(next)
  }
  try {
    for (let i = 0; i < depth; i++) more()
    for (;;) {
      const result = await pending.shift()!
      if (result.done) return
      more()
      yield result.value
    }
  } finally {
    await Promise.allSettled(pending)
    await iterator.return?.()
  }
}

/** Yields `f(value)` for the values of `source`, in order; up to `depth` calls run at a time. */
export async function* mapAhead<T, R>(
  source: AsyncIterable<T>,
  depth: number,
  f: (value: T) => Promise<R>,
): AsyncGenerator<R> {
  const pending: Promise<R>[] = []
  try {
    for await (const value of source) {
      const result = f(value)
      // A failure is reported when it is awaited, not as an unhandled rejection.
      result.catch(() => {})
      pending.push(result)
      if (pending.length === depth) yield await pending.shift()!
    }
    while (pending.length > 0) yield await pending.shift()!
  } finally {
    await Promise.allSettled(pending)
  }
}
