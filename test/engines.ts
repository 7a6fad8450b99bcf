import { describe } from 'node:test'
import { type Engine, openEngine } from '../src/engine/index.js'

const names = ['tensorflow', 'wasm'] as const

/**
 * Suites that take long on TensorFlow and test models and commands rather than the engine: `make test` runs
 * them on WASM, and test/slow/tensorflow on TensorFlow.
 */
const slowOnTensorFlow = [
  'a step of C-SFT',
  'click models',
  'GradCache',
  'Trained foundation models',
  'vectors of ONNX Runtime',
]

/** Makes every suite that follows run on `name` alone. */
export function onlyOn(name: (typeof names)[number]): void {
  only = name
}

/** The numeric tests (test/numeric.ts) run on one engine at a time. */
let only: string | undefined = process.env['MIM_TEST_ENGINE']

/** Registers a suite once for each engine; one that is not installed is skipped, with the reason. */
export async function onEachEngine(title: string, suite: (engine: Engine) => void): Promise<void> {
  const isWanted = (name: string) => (only ? name === only : name === 'wasm' || !slowOnTensorFlow.includes(title))
  // All are opened before any suite is registered: a suite runs at once, and opening changes the backend under it.
  const opened: [string, Engine | Error][] = []
  for (const name of names.filter(isWanted)) {
    opened.push([name, await openEngine({ engine: name, device: 'cpu' }, () => {}).catch((error: Error) => error)])
  }
  for (const [name, engine] of opened) {
    const skip = engine instanceof Error && engine.message
    describe(`${title} (${name})`, { skip }, () => suite(engine as Engine))
  }
}
