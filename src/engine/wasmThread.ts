/** A thread of the WASM backend: runs, as a worker of Node's, the script that the backend has for its threads. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const {
  wasmWorkerContents,
} = require('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js')
// The script is kept as a string whose escapes are already resolved; the only one is a line's end within quotes.
const source = (wasmWorkerContents as string).replaceAll('\n', '\\n')
new Function('require', '__filename', source)(require, fileURLToPath(import.meta.url))
