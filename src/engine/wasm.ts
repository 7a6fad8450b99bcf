/** The WASM engine: programs run operation by operation on TensorFlow.js kernels, on any platform, without native parts. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { executionOrder, lower, type Program } from '../ops/program.js'
import { arrayOf, type TypedArray } from '../ops/tensor.js'
import { download, type Variables, wasmOps } from '../ops/wasm/ops.js'
import type { Engine, Session, Value, VariableSpec } from './session.js'

export async function loadWasm(): Promise<Engine> {
  const wasm = createRequire(import.meta.url)('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(`${join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')))}/`)
  await tf.setBackend('wasm')
  return {
    name: 'wasm',
    device: 'cpu',
    description: `wasm (TensorFlow.js ${wasm.version_wasm}), one thread`,
    open: (programs, variables) => new WasmSession(programs, variables),
  }
}

class WasmSession implements Session {
  private readonly variables: Variables
  private readonly shapes: Map<string, VariableSpec>

  constructor(
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
    const ops = wasmOps(this.variables, inputs)
    const value = lower(executionOrder(program), ops, Object.values(program.outputs), (t) => t.dispose())
    const read = outputs.map(([key, t]): [string, Value] => [
      key,
      { data: download(value(t), t), shape: value(t).shape },
    ])
    for (const tensor of new Set(outputs.map(([, t]) => value(t)))) tensor.dispose()
    return Object.fromEntries(read)
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
