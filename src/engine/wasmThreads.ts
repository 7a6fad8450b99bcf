/**
 * The multi-threaded build of the WASM backend. The backend loads it in browsers only, because it starts threads from
 * blob URLs, which Node workers do not support; here a thread starts from `wasmThread.js`.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { UserError } from '../base/errors.js'
import type { WasmModule } from '../ops/wasm/matmul.js'

const require = createRequire(import.meta.url)

/** Largest number of threads of the build. */
const mostThreads = 8

/** Threads to use: one for each core that is available to this process. */
export const threadCount = () => Math.min(availableParallelism(), mostThreads)

type Threaded = WasmModule & { PThread: { runningWorkers: Worker[] } }

type Factory = (options: {
  locateFile: (file: string, folder: string) => string
  mainScriptUrlOrBlob: string
  wasmMemory: WebAssembly.Memory
}) => Promise<Threaded>

/** Limits of the build's memory in pages of 64 kB: 16 MB at first, 4 GB at most. */
const limits = { initial: 256, maximum: 65536, shared: true }

/** A backend with `count` threads, including the calling one, and its memory. The others do not keep the process alive. */
export async function threadedBackend(Backend: typeof BackendWasm, count: number) {
  const script = require.resolve('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js')
  const thread = fileURLToPath(new URL('./wasmThread.js', import.meta.url))
  const load = factory(script, count)
  const memory = new WebAssembly.Memory(limits)
  const module = await withoutListeners(() =>
    load({
      locateFile: (file, folder) => (file.endsWith('.worker.js') ? thread : folder + file),
      mainScriptUrlOrBlob: script,
      wasmMemory: memory,
    }),
  )
  const tfjs = {
    init: module.cwrap('init', null, []),
    initWithThreadsCount: module.cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: module.cwrap('get_threads_count', 'number', []),
    registerTensor: module.cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: module.cwrap('dispose_data', null, ['number']),
    dispose: module.cwrap('dispose', null, []),
  }
  const backend = new Backend(Object.assign(module, { tfjs }) as unknown as BackendWasm['wasm'])
  for (const worker of module.PThread.runningWorkers) worker.unref()
  return { backend, memory }
}

/** Changes to the build's script, which takes all cores for half of them and always starts 8 workers. */
const changes = (count: number): [from: string, to: string][] => [
  ['require("os").cpus().length', String(2 * count)],
  ['pthreadPoolSize=8', `pthreadPoolSize=${count - 1}`],
]

/**
 * The build's script `source`, made to start `count` threads in all.
 * @throws UserError `wasm-build` if a passage to change is missing, as in another version of the package.
 */
export function withThreads(source: string, count: number): string {
  return changes(count).reduce((text, [from, to]) => {
    if (text.includes(from)) return text.replace(from, to)
    throw new UserError({
      id: 'wasm-build',
      what: `@tensorflow/tfjs-backend-wasm: its script of threads has no '${from}'`,
      expected: 'the version that package.json names',
      remedy: 'run npm ci',
    })
  }, source)
}

function factory(script: string, count: number): Factory {
  const source = withThreads(readFileSync(script, 'utf8'), count)
  const module: { exports?: Factory } = {}
  const run = new Function('module', 'exports', 'require', '__filename', '__dirname', source)
  run(module, {}, require, script, dirname(script))
  return module.exports!
}

/**
 * Calls `f` and removes the error listeners that it adds to the process. They throw errors again, and Node would then
 * print the build's source, one line of 50 kB, as the place of the error.
 */
function withoutListeners<T>(f: () => T): T {
  const events: NodeJS.EventEmitter = process
  const names = ['uncaughtException', 'unhandledRejection']
  const known = new Set(names.flatMap((name) => events.listeners(name)))
  const result = f()
  for (const name of names) {
    for (const listener of events.listeners(name).filter((l) => !known.has(l))) events.off(name, listener as () => void)
  }
  return result
}
