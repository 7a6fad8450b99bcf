/** Checkpoint folders as other people write them. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../src/base/random.js'
import { SafetensorsFile, type TensorSource, writeSafetensors } from '../../src/formats/safetensors.js'
import { torchFileOf } from '../formats/zips.js'

const weights = 'model.safetensors'

/** All tensors of a safetensors file with their bytes. */
export function tensorsOf(path: string): Map<string, { dtype: string; shape: readonly number[]; bytes: Buffer }> {
  const file = new SafetensorsFile(path)
  const tensors = [...file.entries].map(([name, { dtype, shape }]): [string, ReturnType<typeof one>] => [
    name,
    one(dtype, shape, file.raw(name)),
  ])
  file.close()
  return new Map(tensors)
}

const one = (dtype: string, shape: readonly number[], bytes: Buffer) => ({ dtype, shape, bytes })

/**
 * Makes of the checkpoint in `path` what older and newer versions of transformers wrote: weights in `shards` files of
 * torch.save, the settings of pictures in processor_config.json, the tokenizer without tokenizer.json.
 */
export function inOtherFiles(path: string, shards = 1): void {
  const tensors = [...tensorsOf(join(path, weights))]
  rmSync(join(path, weights))
  const nameOf = (i: number) => (shards === 1 ? 'pytorch_model.bin' : `pytorch_model-${i + 1}-of-${shards}.bin`)
  for (let i = 0; i < shards; i++) {
    writeFileSync(join(path, nameOf(i)), torchFileOf(new Map(tensors.filter((_, k) => k % shards === i))))
  }
  if (shards > 1) {
    const map = Object.fromEntries(tensors.map(([name], k) => [name, nameOf(k % shards)]))
    writeFileSync(join(path, 'pytorch_model.bin.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
  }
  const take = (name: string) => {
    const json = JSON.parse(readFileSync(join(path, name), 'utf8'))
    rmSync(join(path, name))
    return json
  }
  writeFileSync(
    join(path, 'processor_config.json'),
    JSON.stringify({ image_processor: take('preprocessor_config.json') }),
  )
  const { vocab, merges } = take('tokenizer.json').model as { vocab: object; merges: [string, string][] }
  writeFileSync(join(path, 'vocab.json'), JSON.stringify(vocab))
  writeFileSync(join(path, 'merges.txt'), ['#version: 0.2', ...merges.map((pair) => pair.join(' '))].join('\n'))
}

/** Small numbers of a half-precision type: exponents some way below the middle of both types, any fraction. */
function halves(count: number, dtype: 'F16' | 'BF16', name: string): Uint16Array {
  const random = Random.of(dtype, name)
  const [middle, fraction] = dtype === 'F16' ? [15, 10] : [127, 7]
  return Uint16Array.from({ length: count }, () => {
    const exponent = middle - 8 + random.int(6)
    return (random.int(2) << 15) | (exponent << fraction) | random.int(2 ** fraction)
  })
}

export interface Rewriting {
  /** Type of all weights; their numbers are drawn anew. */
  dtype: 'F16' | 'BF16'
  /** Files the weights lie in. */
  shards: number
  /** Tensors that the architecture does not know. */
  extra: TensorSource[]
}

/** Copies the checkpoint in `from` to `to`, its weights of another type and in shards with an index. */
export function rewriteWeights(from: string, to: string, { dtype, shards, extra }: Rewriting): TensorSource[] {
  mkdirSync(to, { recursive: true })
  cpSync(from, to, { recursive: true })
  rmSync(join(to, weights))
  const file = new SafetensorsFile(join(from, weights))
  const sources = [...file.entries].map(([name, { shape }]): TensorSource => {
    const data = halves(
      shape.reduce((a, b) => a * b, 1),
      dtype,
      name,
    )
    return { name, dtype, shape, data: () => data }
  })
  file.close()
  const all = [...sources, ...extra]
  const nameOf = (i: number) => `model-${i + 1}-of-${shards}.safetensors`
  const parts = Array.from({ length: shards }, (_, i) => all.filter((_, k) => k % shards === i))
  for (const [i, part] of parts.entries()) writeSafetensors(join(to, shards === 1 ? weights : nameOf(i)), part)
  if (shards > 1) {
    const map = parts.flatMap((part, i) => part.map(({ name }) => [name, nameOf(i)]))
    const index = { metadata: {}, weight_map: Object.fromEntries(map) }
    writeFileSync(join(to, `${weights}.index.json`), JSON.stringify(index))
  }
  return all
}
