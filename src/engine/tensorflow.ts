/** The TensorFlow engine: programs become a SavedModel that tfjs-node runs as a whole, without a JavaScript call per operation. */
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { temporaryFolder } from '../base/processes/temporary.js'
import { assign, assignRows, input, lookup, variable } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import type { Precision, TypedArray } from '../ops/tensor.js'
import { buildGraph, done, type GraphProgram, zero } from '../ops/tensorflow/index.js'
import { addonFolder, checkAddons } from './addons.js'
import { requireSessionMemory } from './memory.js'
import type { Engine, Session, Value, VariableSpec } from './session.js'

const require = createRequire(import.meta.url)

type TensorFlow = typeof import('@tensorflow/tfjs-node-gpu')

/** The calls of tfjs-node's native binding that we use; tensors are numbers there. */
interface Binding {
  createTensor(shape: readonly number[], dtype: number, data: TypedArray): number
  deleteTensor(id: number): void
  tensorDataSync(id: number): TypedArray
  loadSavedModel(directory: string, tags: string): number
  deleteSavedModel(id: number): void
  runSavedModel(
    id: number,
    inputs: number[],
    inputNames: string,
    outputNames: string,
  ): { id: number; shape: number[] }[]
  getNumOfTensors(): number
  isUsingGpuDevice(): boolean
  TF_Version: string
  TF_FLOAT: number
  TF_INT32: number
  TF_BOOL: number
}

/** With `kernels`, uses our own operations if they are installed; TensorFlow's operations compute the same without them. */
export function loadTensorFlow(kernels = true): Engine {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
  restoreRemovedUtilities()
  checkAddons()
  const startup = join(addonFolder(), 'mim_startup.node')
  if (existsSync(startup)) require(startup)
  const tf = require('@tensorflow/tfjs-node-gpu') as TensorFlow
  const binding = (tf.backend() as unknown as { binding: Binding }).binding
  const device = binding.isUsingGpuDevice() ? 'gpu' : 'cpu'
  const useKernels = kernels && device === 'cpu' && loadKernels()
  return {
    name: 'tensorflow',
    device,
    description: `tensorflow ${binding.TF_Version} on ${device}`,
    open(programs, variables, precision) {
      if (device === 'cpu') requireSessionMemory(programs, variables, precision)
      return new TensorFlowSession(binding, tf, programs, variables, precision, useKernels)
    },
  }
}

/** Loads our own operations, which setup-tensorflow compiles with the binding; returns whether they are installed. */
export function loadKernels(): boolean {
  try {
    require(join(addonFolder(), 'mim_kernels.node'))
    return true
  } catch {
    return false
  }
}

/** tfjs-node calls two functions that Node 23 removed from `util`. */
function restoreRemovedUtilities(): void {
  const util = require('node:util') as Record<string, unknown>
  util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined
  util['isArray'] ??= Array.isArray
}

/** Programs that read and write variables, in addition to those that a session is opened with. */
function transferPrograms(variables: readonly VariableSpec[]): Record<string, Program> {
  const entries = variables.flatMap(({ name, shape, dtype: stored, table }): [string, Program][] => {
    // The binding has no int8: such values are passed as int32.
    const dtype = stored === 'int8' ? 'int32' : stored
    if (!table) {
      return [
        [`write/${name}`, program({}, [assign(name, input('value', shape, dtype))])],
        [`read/${name}`, program({ value: variable(name, shape, dtype) })],
      ]
    }
    const ids = () => input('ids', [-1], 'int32')
    const rows = input('rows', [-1, ...shape.slice(1)], dtype)
    return [
      [`write/${name}`, program({}, [assignRows(name, ids(), rows)])],
      [`read/${name}`, program({ value: lookup(name, shape[1], ids()) })],
    ]
  })
  return Object.fromEntries(entries)
}

/** Variables are written, and dense variables read, in pieces of about this many numbers. */
const pieceSize = 2 ** 24

class TensorFlowSession implements Session {
  private readonly programs: Record<string, GraphProgram>
  private readonly variables: Map<string, VariableSpec>
  private readonly pieces: string[][]
  private readonly id: number
  /** Dense variables: values to write before the next call, and values read ahead since the last one. */
  private readonly written = new Map<string, TypedArray>()
  private readonly ahead = new Map<string, TypedArray>()

  constructor(
    private readonly binding: Binding,
    private readonly tf: TensorFlow,
    programs: Record<string, Program>,
    variables: readonly VariableSpec[],
    precision: Precision | undefined,
    kernels: boolean,
  ) {
    this.variables = new Map(variables.map((v) => [v.name, v]))
    this.pieces = inPieces(variables.filter(({ table }) => !table))
    const graph = buildGraph({ ...programs, ...transferPrograms(variables) }, variables, precision, kernels)
    this.programs = graph.programs
    {
      using directory = temporaryFolder('graph')
      writeFileSync(join(directory.path, 'saved_model.pb'), graph.bytes)
      this.id = binding.loadSavedModel(directory.path, 'serve')
    }
    this.run(zero)
  }

  run(name: string, inputs: Record<string, Value> = {}): Record<string, Value> {
    this.flush()
    this.ahead.clear()
    return this.call([[name, inputs]])[0]
  }

  read(name: string, from = 0, to?: number): TypedArray {
    const { shape, dtype, table } = this.variable(name)
    if (table) {
      const { data } = this.run(`read/${name}`, { ids: rowIds(from, to ?? shape[0]) })['value']
      return dtype === 'int8' ? Int8Array.from(data) : data
    }
    const width = sizeOf(shape.slice(1))
    const data = this.readDense(name)
    return to === undefined && from === 0 ? data : data.slice(from * width, to === undefined ? undefined : to * width)
  }

  write(name: string, data: TypedArray, from = 0): void {
    const { shape, table } = this.variable(name)
    if (!table) {
      // A copy, because the caller may change its array before the flush.
      this.written.set(name, data.slice())
      if (sum([...this.written.values()].map(({ length }) => length)) > pieceSize) this.flush()
      return
    }
    const width = sizeOf(shape.slice(1))
    const piece = Math.max(1, Math.floor(pieceSize / width)) * width
    for (let at = 0; at < data.length; at += piece) {
      const part = data.subarray(at, at + piece)
      const [first, rows] = [from + at / width, part.length / width]
      const value = part instanceof Int8Array ? Int32Array.from(part) : part
      const fed = { data: value, shape: [rows, ...shape.slice(1)] }
      this.run(`write/${name}`, { ids: rowIds(first, first + rows), rows: fed })
    }
  }

  /** Writes the pending values. */
  private flush(): void {
    if (this.written.size === 0) return
    const writes = [...this.written].map(([name, data]): [string, Record<string, Value>] => [
      `write/${name}`,
      { value: { data, shape: this.variable(name).shape } },
    ])
    this.written.clear()
    this.ahead.clear()
    this.call(writes)
  }

  /** Values of a dense variable. The others of its piece are read with it, because they are usually requested next. */
  private readDense(name: string): TypedArray {
    this.flush()
    if (!this.ahead.has(name)) {
      const piece = this.pieces.find((names) => names.includes(name))!
      const values = this.call(piece.map((one) => [`read/${one}`, {}]))
      piece.forEach((one, i) => {
        this.ahead.set(one, values[i]['value'].data)
      })
    }
    const data = this.ahead.get(name)!
    this.ahead.delete(name)
    return data
  }

  /**
   * Runs programs that share no variables in one call: TensorFlow prepares each new combination of programs by walking
   * the whole graph, which takes longer than a transfer.
   */
  private call(calls: [program: string, inputs: Record<string, Value>][]): Record<string, Value>[] {
    const { binding } = this
    const entries = calls.map(([name]) => this.programs[name])
    const fed = calls.flatMap(([name, inputs], i) =>
      Object.keys(entries[i].inputs).map((key) => {
        if (!inputs[key]) throw new Error(`program '${name}' needs input '${key}'`)
        return this.tensor(inputs[key])
      }),
    )
    const names = (side: 'inputs' | 'outputs') => entries.flatMap((entry) => Object.values(entry[side])).join()
    let results: { id: number; shape: number[] }[]
    try {
      results = binding.runSavedModel(this.id, fed, names('inputs'), names('outputs'))
    } finally {
      for (const id of fed) binding.deleteTensor(id)
    }
    let next = 0
    return entries.map(({ outputs }) => {
      const values: Record<string, Value> = {}
      for (const key of Object.keys(outputs)) {
        const { id, shape } = results[next++]
        if (key !== done) values[key] = { data: binding.tensorDataSync(id), shape }
        binding.deleteTensor(id)
      }
      return values
    })
  }

  liveTensors(): number {
    return this.binding.getNumOfTensors() + this.tf.memory().numTensors
  }

  dispose(): void {
    this.binding.deleteSavedModel(this.id)
  }

  private variable(name: string): VariableSpec {
    const spec = this.variables.get(name)
    if (!spec) throw new Error(`the session has no variable '${name}'`)
    return spec
  }

  private tensor({ data, shape }: Value): number {
    const { TF_FLOAT, TF_INT32, TF_BOOL } = this.binding
    const dtype = data instanceof Float32Array ? TF_FLOAT : data instanceof Int32Array ? TF_INT32 : TF_BOOL
    return this.binding.createTensor(shape, dtype, data)
  }
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Names of variables in order, grouped to about `pieceSize` numbers at most. */
function inPieces(variables: readonly VariableSpec[]): string[][] {
  const pieces: string[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const { name, shape } of variables) {
    size += sizeOf(shape)
    if (size > pieceSize) {
      pieces.push([])
      size = sizeOf(shape)
    }
    pieces[pieces.length - 1].push(name)
  }
  return pieces
}

function rowIds(from: number, to: number): Value {
  return { data: Int32Array.from({ length: to - from }, (_, i) => from + i), shape: [to - from] }
}
