import { Heap } from '../../base/heap.js'
import { clipTokenizer, wordEnd, wordPattern } from './clipBpe.js'
import { specialToken, type TokenizerFiles } from './tokenizerFiles.js'

const startToken = '<|startoftext|>'
const endToken = '<|endoftext|>'

/**
 * Trains a byte-level BPE tokenizer as CLIP's: at most `vocabulary` tokens, 514 of which are the bytes (inside and at
 * the end of a word) and the two special tokens. The same texts give the same tokenizer, in any order.
 */
export function trainTokenizer(texts: Iterable<string | null>, vocabulary: number, length: number): TokenizerFiles {
  const characters = byteCharacters()
  const base = [...characters, ...characters.map((c) => c + wordEnd)]
  const merges = learnMerges(countWords(texts, characters), vocabulary - base.length - 2)
  const tokens = [...base, ...merges.map(([a, b]) => a + b)]
  const vocab = Object.fromEntries([...tokens, startToken, endToken].map((token, id) => [token, id]))
  const added = [startToken, endToken].map((token) => specialToken(vocab[token], token))
  const tokenizer = clipTokenizer({ vocab, merges, added, start: startToken, end: endToken, unknown: endToken })
  return { tokenizer, config: tokenizerConfig(length) }
}

/** The content of tokenizer_config.json; `length`: tokens of a text at most. */
const tokenizerConfig = (length: number): TokenizerFiles['config'] => ({
  tokenizer_class: 'CLIPTokenizer',
  bos_token: startToken,
  eos_token: endToken,
  unk_token: endToken,
  pad_token: endToken,
  model_max_length: length,
})

/** The printable character that GPT-2 writes for each byte, in the order of the bytes. */
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

interface Candidate {
  pair: string
  count: number
}

/** The more frequent pair first; of equally frequent pairs the first in the order of UTF-16 units. */
const comesFirst = (a: Candidate, b: Candidate) => a.count > b.count || (a.count === b.count && a.pair < b.pair)

/**
 * Up to `limit` merges. Each joins the pair of symbols that is most frequent after the merges before it; pairs that
 * occur once are never merged. A heap holds a candidate for every change of a count, so the time is near-linear.
 */
function learnMerges(words: Word[], limit: number): [string, string][] {
  const counts = new Map<string, number>()
  const wordsOf = new Map<string, Set<Word>>()
  const changed = new Set<string>()
  const add = (word: Word, sign: 1 | -1) => {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const pair = `${word.symbols[i]} ${word.symbols[i + 1]}`
      counts.set(pair, (counts.get(pair) ?? 0) + sign * word.count)
      changed.add(pair)
      if (sign === 1) wordsOf.set(pair, (wordsOf.get(pair) ?? new Set()).add(word))
    }
  }
  const heap = new Heap(comesFirst)
  const pushChanged = () => {
    for (const pair of changed) {
      const count = counts.get(pair) ?? 0
      if (count > 1) heap.push({ pair, count })
    }
    changed.clear()
  }

  for (const word of words) add(word, 1)
  pushChanged()
  const merges: [string, string][] = []
  while (merges.length < limit) {
    const best = heap.pop()
    if (!best) break
    // The count of this candidate has changed since: a later candidate has the current count.
    if (counts.get(best.pair) !== best.count) continue
    const [a, b] = best.pair.split(' ')
    merges.push([a, b])
    for (const word of wordsOf.get(best.pair)!) {
      add(word, -1)
      word.symbols = merged(word.symbols, a, b)
      add(word, 1)
    }
    counts.delete(best.pair)
    wordsOf.delete(best.pair)
    pushChanged()
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
