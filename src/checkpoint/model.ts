/** Reads and writes checkpoints: Hugging Face folders, with our additions in `mim.safetensors` and `mim.json`. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { matching } from '../base/ownFile.js'
import type { Warning } from '../base/warning.js'
import { readTokenizer, tokenizerFilesIn } from '../data/text/readTokenizer.js'
import { jsonText, readJson } from '../formats/pythonJson.js'
import { parseModelConfig } from '../models/config.js'
import { logitScale } from '../models/dualEncoder.js'
import { encoderPrograms, encoderShape } from '../models/encoder.js'
import { type ParameterSpec, Parameters } from '../nn/parameters.js'
import { type Judgment, modelCard } from './card.js'
import { type MimConfig, type ModelFolder, mimConfig } from './folder.js'
import { processorFiles, readImageProcessor } from './processorFile.js'
import { checkTokenizer } from './tokenizerFit.js'
import { isOurs, openWeights, type ReadValue, type Weights, weightFiles, writeWeights } from './weights.js'

/** Resolves `path`: the checkpoint in a run folder, or the folder itself. */
export function checkpointFolder(path: string): string {
  const inRun = join(path, 'checkpoint')
  return existsSync(join(inRun, 'config.json')) ? inRun : path
}

/**
 * Reads a checkpoint without its weights; `warn` gets what is assumed or ignored.
 * @throws UserError `checkpoint-missing` for a folder without config.json, and the errors of its files.
 */
export function readModelFolder(path: string, warn: (warning: Warning) => void = () => {}): ModelFolder {
  if (!existsSync(join(path, 'config.json'))) {
    const remedy = 'name a folder with config.json, model.safetensors and tokenizer.json'
    throw new UserError({
      id: 'checkpoint-missing',
      where: path,
      what: 'this is not a checkpoint: config.json is missing',
      remedy,
    })
  }
  const { json: configJson, floats } = readJson(join(path, 'config.json'))
  const config = parseModelConfig(configJson, join(path, 'config.json'))
  const processor = readImageProcessor(path, config, warn)
  const tokenizer = readTokenizer(path, warn)
  checkTokenizer(tokenizer, config, path, warn)
  const mim = join(path, 'mim.json')
  return {
    path,
    configJson,
    config,
    preprocessorJson: processor.json,
    preprocessing: processor.preprocessing,
    tokenizer,
    mim: existsSync(mim) ? matching(mim, readJson(mim).json, mimConfig, { remedy: 'copy the checkpoint again' }) : {},
    floats: new Set([...floats, ...processor.floats]),
  }
}

/** Names of the files in `path` that a model is read from, its weights included. */
export function modelFiles(path: string): string[] {
  const there = ['config.json', 'mim.json', ...processorFiles].filter((name) => existsSync(join(path, name)))
  return [...there, ...tokenizerFilesIn(path), ...weightFiles(path)]
}

/**
 * Checks that the towers are complete by the headers of the weight files, before anything that takes long.
 * @throws UserError `tensor-missing`, `tensor-shape`, `fusion-undescribed`, and what `openWeights` throws.
 */
export function checkTowers({ path, config, tokenizer, mim }: ModelFolder): void {
  using weights = openWeights(path)
  requireDescribed(path, weights, mim)
  const p = new Parameters()
  encoderPrograms(p, encoderShape({ config, tokenizer, mim: {} }))
  logitScale(p, config)
  for (const parameter of p.list()) if (!weights.has(parameter)) throw missingTensor(path, parameter.name)
}

/**
 * Checks the weights of a checkpoint before anything that takes long: complete and finite. Warns of tensors that the
 * architecture in config.json does not have, e.g. of further layers. Reads each tensor once.
 * @throws UserError `tensor-missing`, `tensor-shape`, `tensor-not-finite`, `fusion-undescribed`, and what `openWeights`
 * throws.
 */
export function checkWeights({ path, config, tokenizer, mim }: ModelFolder, warn: (warning: Warning) => void): void {
  using weights = openWeights(path)
  const p = new Parameters()
  encoderPrograms(p, encoderShape({ config, tokenizer, mim }))
  for (const parameter of p.list()) {
    if (weights.has(parameter)) continue
    const similar = weights.names.find((name) => name.endsWith(`.${parameter.name}`))
    throw missingTensor(path, parameter.name, similar)
  }
  requireDescribed(path, weights, mim)
  const used = new Set(p.list().map(({ name }) => name))
  const unused = weights.names.filter((name) => !used.has(name) && !isOurs(name) && !buffers.test(name))
  if (unused.length > 0) {
    const named = unused.length > 3 ? `${unused.slice(0, 3).join(', ')}, … (${unused.length})` : unused.join(', ')
    const what = `these tensors are not part of the ${config.architecture} in config.json and are not used: ${named}`
    warn({ id: 'tensor-unused', where: path, what, remedy: 'check the sizes in config.json, e.g. num_hidden_layers' })
  }
  weights.checkFinite()
}

/**
 * Without its description a trained fusion head would not be used, and content vectors would be others.
 * @throws UserError `fusion-undescribed`
 */
function requireDescribed(path: string, weights: Weights, mim: MimConfig): void {
  const name = weights.names.find((one) => one.startsWith('fusion.'))
  if (name === undefined || mim.fusion) return
  const file = join(path, 'mim.json')
  throw new UserError({
    id: 'fusion-undescribed',
    where: file,
    what: `${existsSync(file) ? 'there is no fusion in it' : 'this file is missing'}, but mim.safetensors has '${name}'`,
    expected: 'the file that mim wrote with mim.safetensors',
    remedy: 'copy the whole checkpoint; without mim.safetensors its towers are used alone',
  })
}

/** Tensors of complete checkpoints that the encoder does not read: buffers and parameters of losses. */
const buffers = /(^|\.)(position_ids|token_type_ids)$|^logit_(scale|bias)$/

/** `similar`: a tensor that is there and has nearly this name. */
export function missingTensor(path: string, name: string, similar?: string): UserError {
  const remedy = 'use a complete checkpoint of the architecture in config.json'
  const what = `tensor '${name}' is missing${similar === undefined ? '' : `; there is '${similar}'`}`
  return new UserError({ id: 'tensor-missing', where: path, what, remedy })
}

/**
 * Writes a folder that Hugging Face loads; `value` returns the values of a parameter. Types and further tensors come
 * from the folder that the model was read from, see `writeWeights`; `judgment` goes into the model card.
 */
export function writeModelFolder(
  path: string,
  model: Omit<ModelFolder, 'path' | 'preprocessing'> & { path?: string },
  parameters: readonly ParameterSpec[],
  value: ReadValue,
  judgment?: Judgment,
): void {
  using source = model.path === undefined ? undefined : openWeights(model.path)
  const keepsTypes = writeWeights(path, parameters, value, source)
  const json = (name: string, content: unknown) => writeFileSync(join(path, name), jsonText(content, model.floats))
  json('config.json', keepsTypes ? model.configJson : inFloat32(model.configJson))
  json('preprocessor_config.json', model.preprocessorJson)
  json('tokenizer.json', model.tokenizer.tokenizer)
  json('tokenizer_config.json', model.tokenizer.config)
  json('mim.json', model.mim)
  writeFileSync(join(path, 'README.md'), modelCard(model, judgment))
}

/** Replaces every data type in a config.json by float32, because Hugging Face loads weights in that type. */
function inFloat32(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (/^(torch_)?dtype$/.test(key) && value !== null) return [key, 'float32']
      if (/^(text|vision)_config$/.test(key) && value) return [key, inFloat32(value as Record<string, unknown>)]
      return [key, value]
    }),
  )
}
