/** A model from scratch, in the layout of Hugging Face's CLIP. */
import { UserError } from '../base/errors.js'
import { readTokenizer } from '../data/text/readTokenizer.js'
import { tokenIds } from '../data/text/tokenizer.js'
import type { TokenizerFiles } from '../data/text/tokenizerFiles.js'
import { tokenText } from '../data/text/tokens.js'
import { trainTokenizer } from '../data/text/trainBpe.js'
import { parseModelConfig } from '../models/config.js'
import type { ModelFolder } from './folder.js'
import { parsePreprocessing, preprocessorFor } from './preprocessing.js'

export interface NewModel {
  imageSize: number
  patch: number
  width: number
  layers: number
  heads: number
  textLength: number
  vocabulary: number
  tokenizer: string | null
  projection: number
}

/**
 * The content of a new model's folder without weights. The tokenizer is trained on `titles` unless one is given.
 * @throws UserError `model-shape` for sizes that do not divide, `tokenizer-marks` of the tokenizer that is given.
 */
export function newModel(options: NewModel, titles: Iterable<string | null>): Omit<ModelFolder, 'path'> {
  const { imageSize, patch, width, heads, layers, projection } = options
  if (imageSize % patch !== 0) throw indivisible('imageSize', imageSize, 'patch', patch)
  if (width % heads !== 0) throw indivisible('width', width, 'heads', heads)
  const tokenizer = options.tokenizer
    ? readTokenizer(options.tokenizer)
    : trainTokenizer(titles, options.vocabulary, options.textLength)
  const tokens = marksOf(tokenizer, options.tokenizer ?? 'model.tokenizer')
  const tower = {
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * width,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-5,
    projection_dim: projection,
  }
  const configJson = {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: projection,
    logit_scale_init_value: Math.log(1 / 0.07),
    text_config: {
      ...tower,
      model_type: 'clip_text_model',
      vocab_size: tokens.count,
      max_position_embeddings: options.textLength,
      bos_token_id: tokens.start,
      eos_token_id: tokens.end,
      pad_token_id: tokens.end,
    },
    vision_config: { ...tower, model_type: 'clip_vision_model', image_size: imageSize, patch_size: patch },
  }
  const config = parseModelConfig(configJson, 'new model')
  const preprocessorJson = preprocessorFor(config)
  return {
    configJson,
    config,
    preprocessorJson,
    preprocessing: parsePreprocessing(preprocessorJson, config, 'new model'),
    tokenizer,
    mim: {},
    floats: new Set(),
  }
}

function indivisible(name: string, value: number, by: string, divisor: number): UserError {
  return new UserError({
    id: 'model-shape',
    what: `model.${name} ${value} is not a multiple of model.${by} ${divisor}`,
    remedy: 'change one of them',
  })
}

/** Vocabulary size and ids of the start and end token. */
function marksOf(files: TokenizerFiles, folder: string): { count: number; start: number; end: number } {
  const ids = tokenIds(files, folder)
  const id = (key: string) => {
    const found = ids.get(tokenText(files.config[key]) ?? '')
    if (found !== undefined) return found
    const what = `the tokenizer has no ${key}`
    throw new UserError({
      id: 'tokenizer-marks',
      what,
      remedy: 'name the start and end token in tokenizer_config.json',
    })
  }
  const highest = [...ids.values()].reduce((most, id) => Math.max(most, id), -1)
  return { count: highest + 1, start: id('bos_token'), end: id('eos_token') }
}
