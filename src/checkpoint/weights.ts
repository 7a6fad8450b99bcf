/** The tensors of a checkpoint folder: `model.safetensors` or its shards, and `mim.safetensors`. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, UserError } from '../base/errors.js'
import { SafetensorsFile, type TensorSource, writeSafetensors } from '../formats/safetensors.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { Shape } from '../ops/index.js'

export const weightsFile = 'model.safetensors'
export const weightsIndex = 'model.safetensors.index.json'
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
  close(): void
}

/**
 * Opens the weights of a folder.
 * @throws UserError `weights-missing` without a weight file or a shard, and what `SafetensorsFile` throws.
 */
export function openWeights(folder: string): Weights {
  const files = weightFiles(folder).map((name) => new SafetensorsFile(join(folder, name)))
  const holders = new Map(files.flatMap((file) => [...file.entries.keys()].map((name) => [name, file])))
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
    close,
    [Symbol.dispose]: close,
  }
}

function weightFiles(folder: string): string[] {
  const ours = existsSync(join(folder, oursFile)) ? [oursFile] : []
  if (existsSync(join(folder, weightsFile))) return [weightsFile, ...ours]
  const shards = shardNames(join(folder, weightsIndex))
  const lost = shards.length === 0 ? weightsFile : shards.find((name) => !existsSync(join(folder, name)))
  if (!lost) return [...shards, ...ours]
  const remedy = 'fetch the whole model; older formats: load it with transformers and call save_pretrained'
  throw new UserError({ id: 'weights-missing', where: folder, what: `${lost} is missing`, remedy })
}

/** The files that the index of a sharded model names; empty without an index. */
export function shardNames(index: string): string[] {
  if (!existsSync(index)) return []
  try {
    const { weight_map: map } = JSON.parse(readFileSync(index, 'utf8')) as { weight_map: Record<string, string> }
    return [...new Set(Object.values(map))].sort()
  } catch (error) {
    const what = `invalid index of shards: ${messageOf(error).split('\n')[0]}`
    throw new UserError({ id: 'weights-missing', where: index, what, remedy: 'fetch the file again' })
  }
}

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
    const fresh: TensorSource = { name, shape, dtype: 'F32', data: () => value(name) }
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
