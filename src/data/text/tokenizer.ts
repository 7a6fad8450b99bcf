/** Encodes texts as token ids with a Hugging Face tokenizer.json. */
import { Tokenizer } from '@huggingface/tokenizers'
import { messageOf, UserError } from '../../base/errors.js'
import type { TokenizerFiles } from './tokenizerFiles.js'
import { tokenText } from './tokens.js'

export interface TextEncoder {
  files: TokenizerFiles
  /** Tokens per text, including special tokens. */
  length: number
  /** Token ids [texts, length], truncated and padded. Null counts as an empty text. */
  encode(texts: readonly (string | null)[]): Int32Array
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

/**
 * Token ids of an empty text, i.e. those that the tokenizer in `folder` puts around every text, and the one it pads with.
 * @throws UserError `tokenizer-broken` if tokenizer.json has a part that the library does not know.
 */
export function emptyText(files: TokenizerFiles, folder: string): { ids: readonly number[]; pad: number | undefined } {
  return readIn(folder, () => {
    const tokenizer = new Tokenizer(files.tokenizer, files.config)
    return { ids: tokenizer.encode('').ids, pad: padId(tokenizer, files.config) }
  })
}

/** Ids of all tokens of the tokenizer in `folder` by their text. @throws UserError `tokenizer-broken` */
export function tokenIds({ tokenizer }: TokenizerFiles, folder: string): Map<string, number> {
  return readIn(folder, () => {
    const { vocab } = tokenizer['model'] as { vocab: Record<string, number> | [string, number][] }
    const added = (tokenizer['added_tokens'] as { id: number; content: string }[] | undefined) ?? []
    const entries: [string, number][] = Array.isArray(vocab)
      ? vocab.map(([token], id) => [token, id])
      : Object.entries(vocab)
    return new Map([...entries, ...added.map(({ content, id }): [string, number] => [content, id])])
  })
}

/** Does `read`; any error of it is about the files in `folder`. */
function readIn<T>(folder: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const remedy = 'write the file again with a current version of transformers'
    throw new UserError({ id: 'tokenizer-broken', where: folder, what: messageOf(error).split('\n')[0], remedy })
  }
}

/** Truncates a text that is too long; keeps its last token, the end-of-text token. */
function truncated(ids: readonly number[], length: number): readonly number[] {
  return ids.length <= length ? ids : [...ids.slice(0, length - 1), ids[ids.length - 1]]
}

function padId(tokenizer: Tokenizer, config: Record<string, unknown>): number | undefined {
  const text = tokenText(config['pad_token'])
  return text === undefined ? undefined : tokenizer.token_to_id(text)
}
