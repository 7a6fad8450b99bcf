/** A thread of the WASM backend: runs the backend's script for threads in a Node worker. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const {
  wasmWorkerContents,
} = require('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js')
// The package stores the script as a string with resolved escapes; the only one is a line break within quotes.
const source = (wasmWorkerContents as string).replaceAll('\n', '\\n')
new Function('require', '__filename', source)(require, fileURLToPath(import.meta.url))
