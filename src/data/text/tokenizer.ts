/** Encodes texts as token ids with a Hugging Face tokenizer.json. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { messageOf, UserError } from '../../base/errors.js'
import type { TokenizerFiles } from './tokenizerFiles.js'
import { bertTokenizer } from './wordPiece.js'

export interface TextEncoder {
  files: TokenizerFiles
  /** Tokens per text, including special tokens. */
  length: number
  /** Token ids [texts, length], truncated and padded. Null counts as an empty text. */
  encode(texts: readonly (string | null)[]): Int32Array
}

/**
 * Reads the tokenizer of a model: its tokenizer.json, or vocab.txt of older BERT models.
 * @throws UserError `tokenizer-missing` where the folder has neither; `tokenizer-broken` for invalid JSON.
 */
export function readTokenizer(folder: string): TokenizerFiles {
  const [path, vocabulary] = [join(folder, 'tokenizer.json'), join(folder, 'vocab.txt')]
  const configFile = join(folder, 'tokenizer_config.json')
  const config = existsSync(configFile) ? readJson(configFile) : {}
  if (existsSync(path)) return { tokenizer: readJson(path), config }
  if (existsSync(vocabulary)) return bertTokenizer(readFileSync(vocabulary, 'utf8'), config)
  const remedy = 'add the tokenizer.json of the model; `tokenizers` of Hugging Face converts older formats'
  throw new UserError({ id: 'tokenizer-missing', where: folder, what: 'tokenizer.json is missing', remedy })
}

function readJson(path: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const remedy = 'copy the file of the model again'
    throw new UserError({
      id: 'tokenizer-broken',
      where: path,
      what: messageOf(error).split('\n')[0],
      expected: 'JSON',
      remedy,
    })
  }
}

/** An encoder that truncates or pads every text to `length` tokens. */
export function textEncoder(files: TokenizerFiles, length: number, padToken: number): TextEncoder {
  const tokenizer = new Tokenizer(files.tokenizer, files.config)
  const pad = padId(tokenizer, files.config) ?? padToken
  return {
    files,
    length,
    encode(texts) {
      const out = new Int32Array(texts.length * length).fill(pad)
      const cache = new Map<string, readonly number[]>()
      texts.forEach((text, row) => {
        const key = text ?? ''
        const ids = cache.get(key) ?? truncated(tokenizer.encode(key).ids, length)
        cache.set(key, ids)
        out.set(ids, row * length)
      })
      return out
    },
  }
}

/** Truncates a text that is too long; keeps its last token, the end-of-text token. */
function truncated(ids: readonly number[], length: number): readonly number[] {
  return ids.length <= length ? ids : [...ids.slice(0, length - 1), ids[ids.length - 1]]
}

function padId(tokenizer: Tokenizer, { pad_token: pad }: Record<string, unknown>): number | undefined {
  const text = typeof pad === 'string' ? pad : (pad as { content?: string } | undefined)?.content
  return text === undefined ? undefined : tokenizer.token_to_id(text)
}
