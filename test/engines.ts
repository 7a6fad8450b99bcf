import { describe } from 'node:test'
import { type Engine, openEngine } from '../src/engine/index.js'

/** Registers a suite once for each engine; one that is not there is skipped, and says so. */
export async function onEachEngine(title: string, suite: (engine: Engine) => void): Promise<void> {
  const names = ['tensorflow', 'wasm'] as const
  // All are opened before any suite is registered: a suite runs at once, and opening changes the backend under it.
  const opened: (Engine | Error)[] = []
  for (const name of names) {
    opened.push(await openEngine({ engine: name, device: 'cpu' }, () => {}).catch((error: Error) => error))
  }
  for (const [i, engine] of opened.entries()) {
    const skip = engine instanceof Error && engine.message
    describe(`${title} (${names[i]})`, { skip }, () => suite(engine as Engine))
  }
}
