/** What an embedding table is made by, and what of an older one may be kept. */
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { openCheckpoint as open } from '../../checkpoint/hub.js'
import type { EmbedConfig } from '../../config/embed.js'
import type { ItemStream } from '../../data/items/stream.js'
import { contentWidth, type EncoderShape, encoderShape } from '../../models/encoder.js'
import type { EncoderSetup } from '../../runtime/encoder.js'
import { currentFormat, int8Scale, type Manifest } from '../../store/index.js'
import { Terminal } from '../../train/terminal.js'

/** A table before its rows are known. */
export type Description = Omit<Manifest, 'rows'>

/** @throws UserError `checkpoint-missing`, and what opening it throws. */
export async function openCheckpoint(checkpoint: string, terminal = new Terminal()): Promise<ModelFolder> {
  if (checkpoint) return open(checkpoint, terminal)
  const [what, remedy] = ['no checkpoint was given', 'add --checkpoint FOLDER or --checkpoint hf:owner/name']
  throw new UserError({ id: 'checkpoint-missing', what, remedy })
}

/** An encoder of the checkpoint's model; `folder` is where its ONNX models lie, or will. */
export function encoderSetup(config: EmbedConfig, model: ModelFolder, folder: string): EncoderSetup {
  const { provider, threads, data } = config
  const { tokenizer, preprocessing } = model
  const { maxImagePixels } = data
  return { folder, provider, threads, shape: shapeWith(config, model), tokenizer, preprocessing, maxImagePixels }
}

/** The shape of a model whose vectors hold as much of the words as is asked for. */
function shapeWith({ words }: Pick<EmbedConfig, 'words'>, model: ModelFolder): EncoderShape {
  return { ...encoderShape(model), ...(words ? { words } : {}) }
}

/**
 * What the table of a model will be like.
 * @throws UserError `dim-value` where more numbers are asked for than the vectors have, or words would be cut off.
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
      expected: `${least} at most, as the model has`,
    })
  }
  if (dim > 0 && words > 0) {
    const what = `${dim} numbers of a vector are kept, and words, which come last, are to count ${words}`
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

/** The model's part of a version, which goes on with how its vectors were made. */
export const modelOf = (version: string) => version.split('-')[0]

/** Names the weights and all that decides what they make of an item. */
export async function versionOf(checkpoint: string): Promise<string> {
  const hash = createHash('sha256')
  const decides = /\.safetensors$|^(config|mim|preprocessor_config|tokenizer|tokenizer_config)\.json$/
  for (const name of readdirSync(checkpoint)
    .filter((n) => decides.test(n))
    .sort()) {
    hash.update(name)
    for await (const bytes of createReadStream(join(checkpoint, name))) hash.update(bytes as Buffer)
  }
  return hash.digest('hex').slice(0, 16)
}
