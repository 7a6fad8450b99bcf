/** Checkpoints are Hugging Face folders; what is ours lies beside it in `mim.safetensors` and `mim.json`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTokenizer, type TokenizerFiles } from '../data/tokenizer.js'
import { UserError } from '../errors.js'
import { type DualEncoderConfig, parseModelConfig } from '../models/config.js'
import type { ParameterSpec } from '../nn/parameters.js'
import { SafetensorsFile, type TensorSource, writeSafetensors } from './safetensors.js'

/** How pictures become pixels: preprocessor_config.json. */
export interface Preprocessing {
  mean: number[]
  std: number[]
  fit: 'cover' | 'fill'
}

/** What a checkpoint has of ours. */
export interface MimConfig {
  /** Width of the fused content vector; absent without a fusion head. */
  fusion?: { width: number }
}

export interface ModelFolder {
  path: string
  /** config.json as it was found; written back unchanged. */
  configJson: Record<string, unknown>
  config: DualEncoderConfig
  preprocessorJson: Record<string, unknown>
  preprocessing: Preprocessing
  tokenizer: TokenizerFiles
  mim: MimConfig
}

/** Parameters under this prefix are ours, not the architecture's. */
export const isOurs = (name: string) => /^(fusion|choice)\./.test(name)

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>

/** The checkpoint that `path` means: that of a run folder, or the folder itself. */
export function checkpointFolder(path: string): string {
  const inRun = join(path, 'checkpoint')
  return existsSync(join(inRun, 'config.json')) ? inRun : path
}

/** @throws UserError `checkpoint-missing` for a folder without config.json, and what its parts throw. */
export function readModelFolder(path: string): ModelFolder {
  if (!existsSync(join(path, 'config.json'))) {
    const remedy = 'give a folder with config.json, model.safetensors and tokenizer.json'
    throw new UserError({
      id: 'checkpoint-missing',
      where: path,
      what: 'no checkpoint here: config.json is missing',
      remedy,
    })
  }
  const configJson = readJson(join(path, 'config.json'))
  const config = parseModelConfig(configJson, join(path, 'config.json'))
  const preprocessor = join(path, 'preprocessor_config.json')
  const preprocessorJson = existsSync(preprocessor) ? readJson(preprocessor) : preprocessorFor(config)
  const mim = join(path, 'mim.json')
  return {
    path,
    configJson,
    config,
    preprocessorJson,
    preprocessing: parsePreprocessing(preprocessorJson),
    tokenizer: readTokenizer(path),
    mim: existsSync(mim) ? (readJson(mim) as MimConfig) : {},
  }
}

function parsePreprocessing(json: Record<string, unknown>): Preprocessing {
  const size = json['size'] as { shortest_edge?: number } | number | undefined
  const crops = json['do_center_crop'] !== false && json['crop_size'] !== undefined
  const covers = crops || typeof size === 'number' || size?.shortest_edge !== undefined
  return {
    mean: (json['image_mean'] as number[] | undefined) ?? [0.5, 0.5, 0.5],
    std: (json['image_std'] as number[] | undefined) ?? [0.5, 0.5, 0.5],
    fit: covers ? 'cover' : 'fill',
  }
}

const clipMean = [0.48145466, 0.4578275, 0.40821073]
const clipStd = [0.26862954, 0.26130258, 0.27577711]

/** The preprocessor_config.json of a model that has none or is new. */
export function preprocessorFor({ architecture, vision: { imageSize } }: DualEncoderConfig): Record<string, unknown> {
  const square = { height: imageSize, width: imageSize }
  const common = { do_resize: true, resample: 3, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true }
  if (architecture === 'siglip') {
    return {
      ...common,
      image_processor_type: 'SiglipImageProcessor',
      size: square,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
    }
  }
  return {
    ...common,
    image_processor_type: 'CLIPImageProcessor',
    size: { shortest_edge: imageSize },
    do_center_crop: true,
    crop_size: square,
    do_convert_rgb: true,
    image_mean: clipMean,
    image_std: clipStd,
  }
}

/** A source of parameter values; null for a parameter that the checkpoint does not have. */
export interface Weights {
  read(parameter: ParameterSpec): Float32Array | null
  close(): void
}

/**
 * Opens the weights of a folder: model.safetensors or its shards, and mim.safetensors.
 * @throws UserError `weights-missing` without a weight file; `read` throws `tensor-shape`.
 */
export function openWeights(path: string): Weights {
  const names = readdirSync(path).filter((name) => /^(model(-\d+-of-\d+)?|mim)\.safetensors$/.test(name))
  if (!names.some((name) => name.startsWith('model'))) {
    const remedy = 'save the model with safe_serialization, or convert it with `huggingface-cli`'
    throw new UserError({ id: 'weights-missing', where: path, what: 'model.safetensors is missing', remedy })
  }
  const files = names.map((name) => new SafetensorsFile(join(path, name)))
  return {
    read({ name, shape }) {
      const file = files.find((f) => f.has(name))
      if (!file) return null
      const found = file.shape(name)
      if (found.join() !== shape.join()) {
        const what = `tensor '${name}' is [${found.join(', ')}]`
        throw new UserError({
          id: 'tensor-shape',
          where: file.path,
          what,
          expected: `[${shape.join(', ')}] by config.json`,
        })
      }
      return file.floats(name)
    },
    close: () => {
      for (const file of files) file.close()
    },
  }
}

/** Writes a folder that Hugging Face loads; `value` gives the numbers of each parameter. */
export function writeModelFolder(
  path: string,
  { configJson, preprocessorJson, tokenizer, mim }: Omit<ModelFolder, 'path' | 'config' | 'preprocessing'>,
  parameters: readonly ParameterSpec[],
  value: (name: string) => ArrayBufferView,
): void {
  const json = (name: string, content: unknown) =>
    writeFileSync(join(path, name), `${JSON.stringify(content, null, 2)}\n`)
  json('config.json', configJson)
  json('preprocessor_config.json', preprocessorJson)
  json('tokenizer.json', tokenizer.tokenizer)
  json('tokenizer_config.json', tokenizer.config)
  json('mim.json', mim)
  const sources = parameters.map(
    ({ name, shape }): TensorSource => ({ name, shape, dtype: 'F32', data: () => value(name) }),
  )
  writeSafetensors(
    join(path, 'model.safetensors'),
    sources.filter(({ name }) => !isOurs(name)),
  )
  const ours = sources.filter(({ name }) => isOurs(name))
  if (ours.length > 0) writeSafetensors(join(path, 'mim.safetensors'), ours)
}
