/**
 * The program that `mim doctor` runs to try a library: `node trials.js NAME` prints one line of JSON, facts about the
 * library or `failure`.
 */
import { join } from 'node:path'
import { messageOf } from '../base/errors.js'
import { temporaryFolder } from '../base/processes/temporary.js'
import type { Engine } from '../engine/index.js'

const trials = { tensorflow, wasm, onnx, webgpu, duckdb, sharp }
export type Trials = typeof trials

try {
  print(await trials[process.argv[2] as keyof Trials]())
} catch (error) {
  print({ failure: messageOf(error).trim().split('\n')[0] })
}

/** Prints on a new line, whatever libraries printed before. */
function print(answer: object): void {
  process.stdout.write(`\n${JSON.stringify(answer)}\n`)
}

/**
 * Opens the engine as in training and computes a small product. `source`: the library that the binding was compiled
 * with; `kernels`: whether the operations of bin/adam-rows.cc are available.
 */
async function tensorflow() {
  const { installedAddons } = await import('../engine/addons.js')
  const { loadKernels, loadTensorFlow } = await import('../engine/tensorflow.js')
  const engine = loadTensorFlow()
  await checkProduct(engine)
  const { source } = installedAddons()
  return { description: engine.description, device: engine.device, source, kernels: loadKernels() }
}

async function wasm() {
  const { loadWasm } = await import('../engine/wasm.js')
  const engine = await loadWasm()
  await checkProduct(engine)
  return { description: engine.description }
}

async function checkProduct(engine: Engine): Promise<void> {
  const { constant, matmul, variable } = await import('../ops/index.js')
  const { program } = await import('../ops/program.js')
  const product = program({ product: matmul(variable('a', [8, 8]), constant(1, [8, 8])) })
  const session = engine.open({ product }, [{ name: 'a', shape: [8, 8], dtype: 'float32' }])
  session.write('a', new Float32Array(64).fill(1))
  const [first] = session.run('product')['product'].data
  if (first !== 8) throw new Error(`a product of ones gave ${first} instead of 8`)
}

/** The version, and for each provider why it does not run a small model ('' if it does). */
async function onnx() {
  const { env } = await import('../runtime/onnxRuntime.js')
  const reason = (provider: 'cuda' | 'cpu') =>
    runModel(provider).then(
      () => '',
      (error) => messageOf(error).split('\n')[0],
    )
  return { version: env.versions.node ?? env.versions.common, cpu: await reason('cpu'), cuda: await reason('cuda') }
}

/** A separate trial, because a driver may crash the process. */
async function webgpu() {
  await runModel('webgpu')
  return {}
}

async function runModel(provider: 'cuda' | 'webgpu' | 'cpu'): Promise<void> {
  const { constant, input, matmul } = await import('../ops/index.js')
  const { program } = await import('../ops/program.js')
  const { exportOnnx } = await import('../ops/onnx/index.js')
  const { openModel } = await import('../runtime/model.js')
  using folder = temporaryFolder('doctor')
  const path = join(folder.path, 'product.onnx')
  const product = program({ product: matmul(input('x', [1, 8]), constant(1, [8, 8])) })
  exportOnnx(path, product, () => new Float32Array())
  const model = await openModel(path, { provider }, () => {})
  try {
    await model.run({ x: { data: new Float32Array(8), shape: [1, 8] } })
  } finally {
    await model.close()
  }
}

async function duckdb() {
  const { Database } = await import('../data/tables/duckdb.js')
  using db = await Database.open()
  const { version } = await db.columns('SELECT version() AS version', { version: 'string' })
  return { version: version[0] ?? '' }
}

/** Versions, and the formats in which a small picture can be decoded. */
async function sharp() {
  const { default: sharp } = await import('sharp')
  const { decodeAll } = await import('../data/pictures/decode.js')
  const formats = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const
  const background = { r: 200, g: 100, b: 50 }
  const reads = async (format: (typeof formats)[number]) => {
    try {
      const picture = await sharp({ create: { width: 16, height: 16, channels: 3, background } })
        .toFormat(format)
        .toBuffer()
      const [pixels] = await decodeAll([picture], { folder: '.' }, { size: 16, fit: 'fill', maxPixels: 1000 })
      return pixels instanceof Uint8Array
    } catch {
      return false
    }
  }
  const read: string[] = []
  const missing: string[] = []
  for (const format of formats) ((await reads(format)) ? read : missing).push(format.toUpperCase())
  return { version: sharp.versions.sharp ?? '', vips: sharp.versions.vips ?? '', read, missing }
}
