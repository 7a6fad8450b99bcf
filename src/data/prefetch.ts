/** Runs a generator ahead of its consumer by up to `depth` values, so that making and using them overlap. */
export async function* prefetch<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  const pending: Promise<IteratorResult<T>>[] = []
  const more = () => {
    const next = iterator.next()
    // A failure is reported when its turn comes, not as unhandled.
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
