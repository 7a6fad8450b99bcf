/** CLIP's tokenizer: byte-level BPE with a mark at the end of each word, as `CLIPTokenizer` of transformers. */
import { isDeepStrictEqual } from 'node:util'
import type { AddedToken, TokenizerFiles } from './tokenizerFiles.js'

export const wordEnd = '</w>'
/** CLIP's pattern of a word. */
export const wordPattern = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"

/** Normalization of texts and their division into words, as in tokenizer.json. */
const clipSplitting = {
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'NFC' },
      { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
      { type: 'Lowercase' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: wordPattern }, behavior: 'Removed', invert: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
}

/** `tokenizer` with CLIP's normalization and division into words; the same object if it has them. */
export function withClipSplitting(tokenizer: TokenizerFiles['tokenizer']): TokenizerFiles['tokenizer'] {
  const { normalizer, pre_tokenizer } = tokenizer
  const isSame = isDeepStrictEqual(essence({ normalizer, pre_tokenizer }), essence(clipSplitting))
  return isSame ? tokenizer : { ...tokenizer, ...clipSplitting }
}

/** What decides the words: without flags of offsets, and without special tokens, which are found before. */
function essence(parts: object): unknown {
  const special = String.raw`<\|startoftext\|>|<\|endoftext\|>|`
  const text = JSON.stringify(parts, (key, value) => {
    if (key === 'trim_offsets' || key === 'use_regex') return undefined
    return typeof value === 'string' ? value.replace(special, '') : value
  })
  return JSON.parse(text)
}

export interface ClipBpe {
  vocab: Record<string, number>
  merges: readonly (readonly [string, string])[]
  added: readonly AddedToken[]
  /** Tokens before and after each text, and for what is not in the vocabulary. */
  start: string
  end: string
  unknown: string
}

/** The content of tokenizer.json. */
export function clipTokenizer({ vocab, merges, added, start, end, unknown }: ClipBpe): TokenizerFiles['tokenizer'] {
  const id = (token: string) => vocab[token] ?? added.find(({ content }) => content === token)?.id
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    ...clipSplitting,
    post_processor: {
      type: 'RobertaProcessing',
      sep: [end, id(end)],
      cls: [start, id(start)],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: wordEnd,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  }
}
