/** The WASM engine: runs programs operation by operation on TensorFlow.js kernels, on any platform, without native code. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { sizeOf } from '../base/capacity.js'
import { UserError } from '../base/errors.js'
import { maxPages, pageBytes } from '../base/webAssembly.js'
import { executionOrder, lower, type Program } from '../ops/program.js'
import { arrayOf, type TypedArray } from '../ops/tensor.js'
import type { Heap } from '../ops/wasm/heap.js'
import { productsIn, productsOf, type WasmModule } from '../ops/wasm/matmul.js'
import { download, type Variables, wasmOps } from '../ops/wasm/ops.js'
import { simdIn } from '../ops/wasm/simd.js'
import { requireSessionMemory, smaller } from './memory.js'
import type { Engine, Session, Value, VariableSpec } from './session.js'
import { threadCount, threadedBackend } from './wasmThreads.js'

const require = createRequire(import.meta.url)

export async function loadWasm(): Promise<Engine> {
  started ??= start(threadCount())
  const { threads, version, heap } = await started
  return {
    name: 'wasm',
    device: 'cpu',
    description: `wasm (TensorFlow.js ${version}), ${threads === 1 ? 'one thread' : `${threads} threads`}`,
    open(programs, variables, precision = 'fp32') {
      if (precision === 'fp32') {
        requireSessionMemory(programs, variables)
        return new WasmSession(heap, programs, variables)
      }
      throw new UserError({
        id: 'precision',
        what: `precision ${precision} on the wasm engine`,
        expected: 'fp32, the only precision that it supports',
        remedy: 'use --precision fp32, or --engine tensorflow',
      })
    },
  }
}

/** The backend; started once per process. */
let started: ReturnType<typeof start> | undefined

async function start(threads: number) {
  const path = require.resolve('@tensorflow/tfjs-backend-wasm')
  const wasm = require(path) as typeof import('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(`${dirname(path)}/`)
  wasm.setThreadsCount(threads)
  await tf.setBackend('wasm')
  const sequential = moduleOf(tf.backend()) as WasmModule & { asm: { memory: WebAssembly.Memory } }
  let memory = sequential.asm.memory
  let multiply = productsIn(sequential)
  if (threads > 1) {
    const { backend, memory: shared } = await threadedBackend(wasm.BackendWasm, threads)
    tf.removeBackend('wasm')
    tf.registerBackend('wasm', () => backend)
    await tf.setBackend('wasm')
    memory = shared
    multiply = productsOf(moduleOf(backend), sequential)
  }
  guardHeap(tf.backend() as BackendWasm)
  const heap: Heap = { multiply, simd: simdIn(memory), bytes: () => memory.buffer.byteLength }
  return { threads: wasm.getThreadsCount(), version: wasm.version_wasm, heap }
}

const moduleOf = (backend: tf.KernelBackend) => (backend as BackendWasm).wasm as unknown as WasmModule

/** Bytes of a heap of WebAssembly at most. */
const heapLimit = pageBytes * maxPages

/** What the kernels throw when the heap is full; they do not always check whether they got memory. */
const heapFailures = /^(Aborted\(|memory access out of bounds|out of memory)/

/** Makes the backend refuse tensors that its heap has no room for; it would write them to address 0. */
function guardHeap(backend: BackendWasm): void {
  const move = backend.move.bind(backend)
  backend.move = (dataId, values, shape, dtype, refCount) => {
    const bytes = tf.util.sizeFromShape(shape) * (dtype === 'string' ? 0 : tf.util.bytesPerElement(dtype))
    if (bytes > heapLimit) throw heapIsFull(bytes)
    move(dataId, values, shape, dtype, refCount)
    if (bytes > 0 && backend.getMemoryOffset(dataId) === 0) throw heapIsFull(bytes)
  }
}

function heapIsFull(bytes?: number): UserError {
  const tensor = bytes === undefined ? '' : ` for a tensor of ${sizeOf(bytes)}`
  return new UserError({
    id: 'memory',
    what: `the wasm engine has no memory left${tensor}; WebAssembly has ${sizeOf(heapLimit)} at most`,
    remedy: `use --engine tensorflow, or ${smaller}`,
  })
}

class WasmSession implements Session {
  private readonly variables: Variables
  private readonly shapes: Map<string, VariableSpec>

  constructor(
    private readonly heap: Heap,
    private readonly programs: Record<string, Program>,
    variables: readonly VariableSpec[],
  ) {
    this.shapes = new Map(variables.map((v) => [v.name, v]))
    const make = ({ shape, dtype }: VariableSpec) => {
      const size = shape.reduce((a, b) => a * b, 1)
      return new arrayOf[dtype](size)
    }
    this.variables = new Map(variables.map((v) => [v.name, make(v)]))
  }

  run(name: string, inputs: Record<string, Value> = {}): Record<string, Value> {
    const program = this.programs[name]
    for (const key of program.inputs.keys()) {
      if (!inputs[key]) throw new Error(`program '${name}' needs input '${key}'`)
    }
    const outputs = Object.entries(program.outputs)
    // Both engines may be loaded, as in tests; the kernels below run on the active backend.
    if (tf.getBackend() !== 'wasm') void tf.setBackend('wasm')
    const ops = wasmOps(this.heap, this.variables, inputs)
    const compute = () => lower(executionOrder(program), ops, Object.values(program.outputs), (t) => t.dispose())
    const value = this.inHeap(compute)
    const read = outputs.map(([key, t]): [string, Value] => [
      key,
      { data: download(value(t), t), shape: value(t).shape },
    ])
    for (const tensor of new Set(outputs.map(([, t]) => value(t)))) tensor.dispose()
    return Object.fromEntries(read)
  }

  private inHeap<T>(compute: () => T): T {
    try {
      return compute()
    } catch (error) {
      const isFull = error instanceof Error && error.name === 'RuntimeError' && heapFailures.test(error.message)
      throw isFull && this.heap.bytes() > heapLimit / 4 ? heapIsFull() : error
    }
  }

  read(name: string, from = 0, to?: number): TypedArray {
    const width = this.width(name)
    return this.variable(name).slice(from * width, to === undefined ? undefined : to * width)
  }

  write(name: string, data: TypedArray, from = 0): void {
    this.variable(name).set(data, from * this.width(name))
  }

  liveTensors(): number {
    return tf.memory().numTensors
  }

  dispose(): void {
    this.variables.clear()
  }

  private variable(name: string): TypedArray {
    const array = this.variables.get(name)
    if (!array) throw new Error(`the session has no variable '${name}'`)
    return array
  }

  private width(name: string): number {
    return (
      this.shapes
        .get(name)
        ?.shape.slice(1)
        .reduce((a, b) => a * b, 1) ?? 0
    )
  }
}
