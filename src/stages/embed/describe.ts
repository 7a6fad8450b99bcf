/** The model and the settings that an embedding table is made with. */
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { type Warning, warningText } from '../../base/warning.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { openCheckpoint as open } from '../../checkpoint/hub.js'
import { modelFiles } from '../../checkpoint/model.js'
import type { EmbedConfig } from '../../config/embed.js'
import type { ItemStream } from '../../data/items/stream.js'
import { contentWidth, type EncoderShape, encoderShape } from '../../models/encoder.js'
import type { EncoderSetup } from '../../runtime/encoder.js'
import { currentFormat, int8Scale, type Manifest } from '../../store/index.js'
import { Terminal } from '../../train/terminal.js'

/** The manifest of a table before its rows are counted. */
export type Description = Omit<Manifest, 'rows'>

/** @throws UserError `checkpoint-missing` where none is given, and errors of opening it. */
export async function openCheckpoint(
  checkpoint: string,
  terminal = new Terminal(),
  warn = (warning: Warning) => terminal.say(warningText(warning)),
): Promise<ModelFolder> {
  if (checkpoint) return open(checkpoint, terminal, warn)
  const [what, remedy] = ['no checkpoint is given', 'add --checkpoint FOLDER or --checkpoint hf:owner/name']
  throw new UserError({ id: 'checkpoint-missing', what, remedy })
}

/** Settings of an encoder of the checkpoint's model; `folder` is the folder of its ONNX files. */
export function encoderSetup(config: EmbedConfig, model: ModelFolder, folder: string): EncoderSetup {
  const { provider, threads, data } = config
  const { tokenizer, preprocessing } = model
  const { maxImagePixels } = data
  return { folder, provider, threads, shape: shapeWith(config, model), tokenizer, preprocessing, maxImagePixels }
}

/** The shape of the model with the configured weight of words. */
function shapeWith({ words }: Pick<EmbedConfig, 'words'>, model: ModelFolder): EncoderShape {
  return { ...encoderShape(model), ...(words ? { words } : {}) }
}

/**
 * The manifest of a table to be made, without the number of rows.
 * @throws UserError `dim-value` where `dim` exceeds the width of the model's vectors or would cut off word vectors.
 */
export async function describeTable(
  { type, dim, words, lists, safetensors, precision }: EmbedConfig,
  model: ModelFolder,
  { kind, idType, shard, fingerprint }: ItemStream,
): Promise<Description> {
  const shape = shapeWith({ words }, model)
  const { projection } = shape.config
  const full = { embedding: contentWidth(shape), image_embedding: projection, text_embedding: projection }
  const least = Math.min(...Object.values(full))
  if (dim > least) {
    throw new UserError({
      id: 'dim-value',
      where: 'dim',
      what: `${dim}`,
      expected: `at most ${least}, the width of the model's vectors`,
    })
  }
  if (dim > 0 && words > 0) {
    const what = `${dim} dimensions would cut off the word vectors that words = ${words} appends`
    throw new UserError({ id: 'dim-value', where: 'dim', what, remedy: 'set dim or words to 0' })
  }
  return {
    format: currentFormat,
    ids: kind,
    id_type: idType,
    type,
    scale: type === 'int8' ? int8Scale : 1,
    widths: dim === 0 ? full : { embedding: dim, image_embedding: dim, text_embedding: dim },
    model_version:
      (await versionOf(model.path)) + (precision === 'fp16' ? '-fp16' : '') + (words ? `-words${words}` : ''),
    ...(words ? { words } : {}),
    lists,
    safetensors,
    ...(shard ? { shard: { ...shard, catalogue: fingerprint } } : {}),
  }
}

/** The part of a model version that identifies the model; suffixes say how the vectors were made. */
export const modelOf = (version: string) => version.split('-')[0]

/** Identifies a model by a hash of its weights, configuration, preprocessing and tokenizer. */
export async function versionOf(checkpoint: string): Promise<string> {
  const hash = createHash('sha256')
  const relevant = /\.safetensors$|^(config|mim|preprocessor_config|tokenizer|tokenizer_config)\.json$/
  const found = readdirSync(checkpoint).filter((name) => relevant.test(name))
  for (const name of [...new Set([...found, ...modelFiles(checkpoint)])].sort()) {
    hash.update(name)
    for await (const bytes of createReadStream(join(checkpoint, name))) hash.update(bytes as Buffer)
  }
  return hash.digest('hex').slice(0, 16)
}
