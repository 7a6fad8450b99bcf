/**
 * Matrix products on XNNPACK. The backend takes it for a single plain product only and multiplies batches
 * and transposed operands by scalar loops, ten times slower; so each product of a batch goes there by itself.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'

/** What Emscripten puts on the backend's module beside that which its types tell of. */
interface Emscripten {
  cwrap(name: string, result: null, types: string[]): (...values: (number | Uint8Array)[]) => void
}

/** Names for the operands of a product in the backend's registry, above all that it counts up to itself. */
const [leftId, rightId, outId] = [0x7ffffffd, 0x7ffffffe, 0x7fffffff]

/** Addresses in the WASM heap of `batch` matrices each: left [m, k], right [k, n], out [m, n]; float32, dense. */
export interface Product {
  batch: number
  m: number
  k: number
  n: number
  left: number
  right: number
  out: number
}

/** The function that computes products on `backend`; k must not be 0. */
export function products({ wasm }: BackendWasm): (product: Product) => void {
  const types = ['number', 'array', 'number', 'number', 'array', 'number', 'number', 'number', 'number']
  const run = (wasm as unknown as Emscripten).cwrap('BatchMatMul', null, types)
  const { registerTensor, disposeData } = wasm.tfjs
  const bytes = (shape: number[]) => new Uint8Array(Int32Array.from(shape).buffer)
  return ({ batch, m, k, n, left, right, out }) => {
    const [leftShape, rightShape] = [bytes([1, m, k]), bytes([1, k, n])]
    for (let i = 0; i < batch; i++) {
      registerTensor(leftId, m * k, left + i * m * k * 4)
      registerTensor(rightId, k * n, right + i * k * n * 4)
      registerTensor(outId, m * n, out + i * m * n * 4)
      run(leftId, leftShape, 3, rightId, rightShape, 3, 0, 0, outId)
      // Forgets the names, and with the right one the weights that XNNPACK packed for it.
      for (const id of [leftId, rightId, outId]) disposeData(id)
    }
  }
}
