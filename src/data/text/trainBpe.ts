import { specialToken, type TokenizerFiles } from './tokenizerFiles.js'

const startToken = '<|startoftext|>'
const endToken = '<|endoftext|>'
const wordEnd = '</w>'
/** CLIP's own pattern of what is a word. */
const wordPattern = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"

/**
 * A tokenizer of at most `vocabulary` tokens, 514 of which are the bytes and the two marks.
 * The same texts give the same tokenizer, in whatever order they come.
 */
export function trainTokenizer(texts: Iterable<string | null>, vocabulary: number, length: number): TokenizerFiles {
  const characters = byteCharacters()
  const base = [...characters, ...characters.map((c) => c + wordEnd)]
  const merges = learnMerges(countWords(texts, characters), vocabulary - base.length - 2)
  const tokens = [...base, ...merges.map(([a, b]) => a + b)]
  const vocab = Object.fromEntries([...tokens, startToken, endToken].map((token, id) => [token, id]))
  const special = [startToken, endToken].map((token) => specialToken(vocab[token], token))
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: special,
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
      post_processor: {
        type: 'RobertaProcessing',
        sep: [endToken, vocab[endToken]],
        cls: [startToken, vocab[startToken]],
        trim_offsets: false,
        add_prefix_space: false,
      },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: endToken,
        continuing_subword_prefix: null,
        end_of_word_suffix: wordEnd,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges,
      },
    },
    config: {
      tokenizer_class: 'CLIPTokenizer',
      bos_token: startToken,
      eos_token: endToken,
      unk_token: endToken,
      pad_token: endToken,
      model_max_length: length,
    },
  }
}

/** GPT-2's way to write each byte as a printable character; in the order of the bytes. */
function byteCharacters(): string[] {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++))
}

interface Word {
  symbols: string[]
  count: number
}

function countWords(texts: Iterable<string | null>, characters: string[]): Word[] {
  const pattern = new RegExp(wordPattern, 'gu')
  const counts = new Map<string, number>()
  for (const text of texts) {
    const words = (text ?? '').normalize('NFC').toLowerCase().match(pattern) ?? []
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  // Sorted, so that ties do not depend on the order of the texts.
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([word, count]) => {
      const symbols = Array.from(Buffer.from(word), (byte) => characters[byte])
      symbols[symbols.length - 1] += wordEnd
      return { symbols, count }
    })
}

/** The `limit` most frequent merges, each counted after the ones before it; pairs that occur once are left. */
function learnMerges(words: Word[], limit: number): [string, string][] {
  const counts = new Map<string, number>()
  const places = new Map<string, Set<Word>>()
  const change = (word: Word, sign: 1 | -1) => {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const pair = `${word.symbols[i]} ${word.symbols[i + 1]}`
      counts.set(pair, (counts.get(pair) ?? 0) + sign * word.count)
      if (sign === 1) places.set(pair, (places.get(pair) ?? new Set()).add(word))
    }
  }
  for (const word of words) change(word, 1)

  const merges: [string, string][] = []
  while (merges.length < limit) {
    let [best, most] = ['', 1]
    for (const [pair, count] of counts) {
      if (count > most || (count === most && count > 1 && pair < best)) [best, most] = [pair, count]
    }
    if (most < 2) break
    const [a, b] = best.split(' ')
    merges.push([a, b])
    for (const word of places.get(best) ?? []) {
      change(word, -1)
      word.symbols = merged(word.symbols, a, b)
      change(word, 1)
    }
    counts.delete(best)
    places.delete(best)
  }
  return merges
}

function merged(symbols: string[], a: string, b: string): string[] {
  const out: string[] = []
  for (let i = 0; i < symbols.length; i++) {
    const joins = symbols[i] === a && symbols[i + 1] === b
    out.push(joins ? a + b : symbols[i])
    if (joins) i++
  }
  return out
}
