import { describe } from 'node:test'
import { type Engine, openEngine } from '../src/engine/index.js'

/** Registers a suite once for each engine; one that is not there is skipped, and says so. */
export async function onEachEngine(title: string, suite: (engine: Engine) => void): Promise<void> {
  for (const name of ['tensorflow', 'wasm'] as const) {
    let engine: Engine | undefined
    let skip: string | false = false
    try {
      engine = await openEngine({ engine: name, device: 'cpu' }, () => {})
    } catch (error) {
      skip = (error as Error).message
    }
    describe(`${title} (${name})`, { skip }, () => suite(engine!))
  }
}
