/**
 * Matrix products on XNNPACK. The backend uses it only for single products without transposition; batches and
 * transposed operands go through scalar loops, ten times slower. Therefore we pass each product of a batch by itself.
 */

/** The functions that we use of a WASM module of the backend: those of Emscripten and its own. */
export interface WasmModule {
  HEAPU8: Uint8Array
  cwrap(name: string, result: 'number' | null, types: string[]): (...values: (number | Uint8Array)[]) => number
  _malloc(bytes: number): number
  _free(address: number): void
}

/** Addresses in the heap of `batch` matrices each: left [m, k], right [k, n], out [m, n]; float32, dense, none empty. */
export interface Product {
  batch: number
  m: number
  k: number
  n: number
  left: number
  right: number
  out: number
}

export type Multiply = (product: Product) => void

/** Ids of the operands in the backend's registry, larger than any id that it assigns itself. */
const [leftId, rightId, outId] = [0x7ffffffd, 0x7ffffffe, 0x7fffffff]

/** Products within the heap of `module`. */
export function productsIn(module: WasmModule): Multiply {
  const types = ['number', 'array', 'number', 'number', 'array', 'number', 'number', 'number', 'number']
  const run = module.cwrap('BatchMatMul', null, types)
  const register = module.cwrap('register_tensor', null, ['number', 'number', 'number'])
  const forget = module.cwrap('dispose_data', null, ['number'])
  const bytes = (shape: number[]) => new Uint8Array(Int32Array.from(shape).buffer)
  return ({ batch, m, k, n, left, right, out }) => {
    const [leftShape, rightShape] = [bytes([1, m, k]), bytes([1, k, n])]
    for (let i = 0; i < batch; i++) {
      register(leftId, m * k, left + i * m * k * 4)
      register(rightId, k * n, right + i * k * n * 4)
      register(outId, m * n, out + i * m * n * 4)
      run(leftId, leftShape, 3, rightId, rightShape, 3, 0, 0, outId)
      // Disposing of the right operand also frees the weights that XNNPACK packed for it.
      for (const id of [leftId, rightId, outId]) forget(id)
    }
  }
}

/** Multiplications in a product below which threads do not help, and cost a lot when a core is busy. */
const smallProduct = 5e6

/**
 * Products within the heap of `threaded`. Small ones are copied to `sequential` and back: the copy costs less than
 * waking threads and waiting for them, thousands of times in a step.
 */
export function productsOf(threaded: WasmModule, sequential: WasmModule): Multiply {
  const large = productsIn(threaded)
  const small = productsIn(sequential)
  return (product) => {
    const { batch, m, k, n } = product
    if (m * k * n >= smallProduct) return large(product)
    const [leftBytes, rightBytes, outBytes] = [m * k, k * n, m * n].map((size) => size * batch * 4)
    const left = sequential._malloc(leftBytes + rightBytes + outBytes) >>> 0
    const right = left + leftBytes
    const out = right + rightBytes
    const carry = (from: WasmModule, source: number, bytes: number, to: WasmModule, target: number) =>
      to.HEAPU8.set(from.HEAPU8.subarray(source, source + bytes), target)
    carry(threaded, product.left, leftBytes, sequential, left)
    carry(threaded, product.right, rightBytes, sequential, right)
    small({ ...product, left, right, out })
    carry(sequential, out, outBytes, threaded, product.out)
    sequential._free(left)
  }
}
