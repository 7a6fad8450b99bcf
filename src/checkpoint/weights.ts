/** The tensors of a checkpoint folder: `model.safetensors`, `pytorch_model.bin` or shards of one, and `mim.safetensors`. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { brokenFile, readJson } from '../base/ownFile.js'
import { requireFinite } from '../engine/state.js'
import { SafetensorsFile, type TensorSource, writeSafetensors } from '../formats/safetensors.js'
import { firstNonFinite, type TensorFile } from '../formats/tensorFile.js'
import { TorchFile } from '../formats/torchFile.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { Shape } from '../ops/index.js'

const weightsFile = 'model.safetensors'
/** Files with all weights, or with the names of their shards; the first one that exists is read, as by transformers. */
export const weightFormats = [
  weightsFile,
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const
export const isIndex = (file: string) => file.endsWith('.index.json')
const oursFile = 'mim.safetensors'

/** Whether a parameter is mim's and not one of the Hugging Face architecture. */
export const isOurs = (name: string) => /^(fusion|choice|sigmoid)\./.test(name)

/** A source of parameter values. */
export interface Weights extends Disposable {
  /** Names of all tensors, including those of mim.safetensors. */
  readonly names: readonly string[]
  shape(name: string): Shape
  /** Whether there is such a tensor. @throws UserError `tensor-shape` if it has another shape. */
  has(parameter: Pick<ParameterSpec, 'name' | 'shape'>): boolean
  /** The values of a parameter, or null if there is no such tensor. @throws as `has`. */
  read(parameter: Pick<ParameterSpec, 'name' | 'shape'>): Float32Array | null
  /** A tensor in its stored type. */
  stored(name: string): TensorSource
  /** @throws UserError `tensor-not-finite` if a tensor contains NaN or an infinity. Reads all tensors, one at a time. */
  checkFinite(): void
  close(): void
}

/**
 * Opens the weights of a folder.
 * @throws UserError `weights-missing` without a weight file or a shard, and what `SafetensorsFile` and `TorchFile` throw.
 */
export function openWeights(folder: string): Weights {
  const files = openFiles(weightFiles(folder).map((name) => join(folder, name)))
  const holders = new Map(files.flatMap((file) => file.names.map((name) => [name, file])))
  const has = ({ name, shape }: Pick<ParameterSpec, 'name' | 'shape'>) => {
    const file = holders.get(name)
    if (!file) return false
    const found = file.shape(name)
    if (found.join() === shape.join()) return true
    throw new UserError({
      id: 'tensor-shape',
      where: file.path,
      what: `tensor '${name}' is [${found.join(', ')}]`,
      expected: `[${shape.join(', ')}] by config.json`,
    })
  }
  const close = () => {
    for (const file of files) file.close()
  }
  return {
    names: [...holders.keys()],
    shape: (name) => holders.get(name)!.shape(name),
    has,
    read: (parameter) => (has(parameter) ? holders.get(parameter.name)!.floats(parameter.name) : null),
    stored(name) {
      const file = holders.get(name)!
      return { name, dtype: file.dtype(name), shape: file.shape(name), data: () => file.raw(name) }
    },
    checkFinite() {
      for (const [name, file] of holders) checkTensor(file, name)
    },
    close,
    [Symbol.dispose]: close,
  }
}

function openFiles(paths: readonly string[]): TensorFile[] {
  const files: TensorFile[] = []
  try {
    for (const path of paths) files.push(path.endsWith('.bin') ? new TorchFile(path) : new SafetensorsFile(path))
    return files
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

function checkTensor(file: TensorFile, name: string): void {
  const position = firstNonFinite(file, name)
  if (position < 0) return
  const index: number[] = []
  let rest = position
  for (const size of [...file.shape(name)].reverse()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  throw new UserError({
    id: 'tensor-not-finite',
    where: file.path,
    what: `tensor '${name}' has a NaN or an infinity at [${index.join(', ')}]`,
    expected: 'finite numbers',
    remedy: 'use a checkpoint from before the training diverged',
  })
}

/**
 * Names of the files in `folder` that `openWeights` reads.
 * @throws UserError `weights-missing`.
 */
export function weightFiles(folder: string): string[] {
  const there = (name: string) => existsSync(join(folder, name))
  const remedy = 'fetch the whole model; other formats: load it with transformers and call save_pretrained'
  const refuse = (what: string, expected?: string) =>
    new UserError({ id: 'weights-missing', where: folder, what, expected, remedy })
  const format = weightFormats.find(there)
  if (!format) {
    const others = existsSync(folder)
      ? readdirSync(folder).filter((name) => otherWeights.test(name) && name !== oursFile)
      : []
    const found = others.length > 0 ? `; found ${others.slice(0, 3).join(', ')}` : ''
    throw refuse(`the folder has no weights${found}`, `one of ${weightFormats.join(', ')}`)
  }
  const files = isIndex(format) ? shardNames(join(folder, format)) : [format]
  const lost = files.find((name) => !there(name))
  if (lost) throw refuse(`${lost} is missing`)
  return [...files, ...[oursFile].filter(there)]
}

/** Weights under other names and in other formats. */
const otherWeights = /\.(safetensors|bin|h5|msgpack|pth?|ckpt|onnx|gguf)$/

/** The files that the index of a sharded model names. @throws UserError `weights-missing` for an invalid index. */
export function shardNames(index: string): string[] {
  const recovery = { id: 'weights-missing', remedy: 'fetch the file again' }
  const { weight_map: map } = readJson(index, indexOfShards, recovery)
  const names = [...new Set(Object.values(map))].sort()
  if (names.length === 0) throw brokenFile(index, 'invalid index of shards: it names no file', recovery)
  const odd = names.find((name) => !/^[^/\\]+\.(safetensors|bin)$/.test(name))
  if (odd === undefined) return names
  throw brokenFile(index, `invalid index of shards: '${odd}' is not the name of a file beside it`, recovery)
}

const indexOfShards = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** Returns the values to write for a parameter: float32, of its shape. */
export type ReadValue = (name: string) => ArrayBufferView

/**
 * Writes `model.safetensors` and `mim.safetensors` into `folder`. A tensor with the same values as in `source` keeps
 * its stored type and bits; all others are float32. Tensors of the source without a parameter (buffers, parameters of
 * another loss) are copied, except position ids of another resolution.
 * @returns whether all tensors kept their type in the source.
 */
export function writeWeights(
  folder: string,
  parameters: readonly ParameterSpec[],
  value: ReadValue,
  source: Weights | undefined,
): boolean {
  const known = new Set(source?.names)
  const written = parameters.map(({ name, shape }): TensorSource => {
    const fresh: TensorSource = { name, shape, dtype: 'F32', data: () => requireFinite(name, value(name)) }
    if (!source || !known.has(name)) return fresh
    const stored = source.stored(name)
    if (stored.dtype === 'F32' || stored.shape.join() !== shape.join()) return fresh
    return sameFloats(source.read({ name, shape })!, value(name)) ? stored : fresh
  })
  const names = new Set(parameters.map(({ name }) => name))
  const others = [...known].filter((name) => !names.has(name)).map((name) => source!.stored(name))
  const rest = others.filter((tensor) => !isStale(tensor, parameters))
  const all = [...written, ...rest]
  writeSafetensors(
    join(folder, weightsFile),
    all.filter(({ name }) => !isOurs(name)),
  )
  const ours = all.filter(({ name }) => isOurs(name))
  if (ours.length > 0) writeSafetensors(join(folder, oursFile), ours)
  return written.every(({ name, dtype }) => !known.has(name) || isOurs(name) || dtype === source!.stored(name).dtype)
}

/** Whether a tensor contains the position ids of a table that has another length now. */
function isStale({ name, shape }: TensorSource, parameters: readonly ParameterSpec[]): boolean {
  const [, tower] = /^(.*)position_ids$/.exec(name) ?? []
  const table = parameters.find((p) => tower !== undefined && p.name.startsWith(`${tower}position_embedding`))
  return table !== undefined && table.shape[0] !== shape[shape.length - 1]
}

function sameFloats(a: Float32Array, b: ArrayBufferView): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))
}
