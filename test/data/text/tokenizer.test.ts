import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Tokenizer } from '@huggingface/tokenizers'
import { Random } from '../../../src/base/random.js'
import { readTokenizer } from '../../../src/data/text/readTokenizer.js'
import { textEncoder } from '../../../src/data/text/tokenizer.js'
import type { TokenizerFiles } from '../../../src/data/text/tokenizerFiles.js'
import { trainTokenizer } from '../../../src/data/text/trainBpe.js'
import { SafetensorsFile } from '../../../src/formats/safetensors.js'
import { sharedFile } from '../../fixtures.js'
import { temporaryFolder } from '../../sample/folders.js'

const folder = await temporaryFolder()
const titles = [
  'Red leather shoes, size 42',
  'Red leather boots',
  'red leather belt — 3 cm',
  'Blue denim jacket',
  'blue denim shirt',
  null,
  'Ärmelloses Kleid, blau',
]
const files = trainTokenizer(titles, 560, 16)
const model = files.tokenizer['model'] as { vocab: Record<string, number>; merges: [string, string][] }

/** The text behind token ids, marks and padding left out: bytes put together, a space at the end of a word. */
function textOf(ids: Iterable<number>): string {
  const tokens = new Map(Object.entries(model.vocab).map(([token, id]) => [id, token]))
  // The first 256 tokens are the bytes in order.
  const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [tokens.get(byte)!, byte]))
  const words = [...ids]
    .map((id) => tokens.get(id)!)
    .filter((token) => !token.startsWith('<|'))
    .map((token) => token.replace('</w>', ' '))
  const bytes = Array.from(words.join(''), (character) => byteOf.get(character) ?? 0x20)
  return Buffer.from(bytes).toString('utf8').trim()
}

/** BPE as it is defined: the most frequent pair of all, merged everywhere, again and again. */
function plainMerges(texts: readonly string[], limit: number): [string, string][] {
  // The first 256 tokens are the bytes in order.
  const characters = Object.keys(model.vocab).slice(0, 256)
  const words = texts
    .flatMap((text) => text.split(' '))
    .map((word) => Array.from(Buffer.from(word), (b) => characters[b]))
  for (const symbols of words) symbols[symbols.length - 1] += '</w>'
  const merges: [string, string][] = []
  while (merges.length < limit) {
    const counts = new Map<string, number>()
    for (const symbols of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`
        counts.set(pair, (counts.get(pair) ?? 0) + 1)
      }
    }
    const [best] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    if (!best || best[1] < 2) break
    const [a, b] = best[0].split(' ')
    merges.push([a, b])
    for (const symbols of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === a && symbols[i + 1] === b) symbols.splice(i, 2, a + b)
      }
    }
  }
  return merges
}

describe('Byte-level BPE', () => {
  test('when texts are encoded then their words come back, characters never seen in training included', () => {
    const { encode } = textEncoder(files, 64, 0)
    for (const [text, words] of [
      ['Red leather shoes, size 42', 'red leather shoes , size 4 2'],
      ['  RED\t\nboots ', 'red boots'],
      ['鞋 🥾 zażółć', '鞋 🥾 zażółć'],
      ["it's 100% ÄRMELLOS", "it 's 1 0 0 % ärmellos"],
    ]) {
      assert.equal(textOf(encode([text])), words)
    }
  })

  test('when titles share words then merges make these one token each, the most frequent first', () => {
    for (const word of ['red', 'leather', 'blue', 'denim']) assert.ok(`${word}</w>` in model.vocab, word)
    assert.ok(!('jacket</w>' in model.vocab), 'a word that comes once is not merged')
    // One merge is allowed: the pair that comes three times, not the one that comes twice.
    const counts = trainTokenizer(['cd ab ab', 'cd ab'], 514 + 1, 8).tokenizer['model'] as typeof model
    assert.deepEqual(counts.merges, [['a', 'b</w>']])
    const none = trainTokenizer(['ab ab ab'], 514, 8).tokenizer['model'] as typeof model
    assert.deepEqual(none.merges, [])
    assert.equal(Object.keys(none.vocab).length, 514)
  })

  test('when texts are random then merges are those of counting all pairs again for each', () => {
    const random = Random.of('merges')
    // Few letters, so that words overlap, counts tie and a symbol comes from different merges.
    for (const letters of ['ab', 'abc', 'abcdefgh', 'aäé鞋']) {
      const word = () => Array.from({ length: 1 + random.int(9) }, () => random.pick([...letters])).join('')
      const texts = Array.from({ length: 60 }, () => Array.from({ length: 1 + random.int(5) }, word).join(' '))
      const { merges } = trainTokenizer(texts, 514 + 150, 8).tokenizer['model'] as typeof model
      assert.ok(merges.length > 20)
      assert.deepEqual(merges, plainMerges(texts, 150))
    }
  })

  test('when texts come in another order then the tokenizer is the same, and no larger than the limit', () => {
    assert.deepEqual(trainTokenizer([...titles].reverse(), 560, 16), files)
    assert.ok(Object.keys(model.vocab).length <= 560)
  })

  test('when texts are short or long then they are padded, or cut but for the token of the end', () => {
    const [start, end] = [model.vocab['<|startoftext|>'], model.vocab['<|endoftext|>']]
    const ids = textEncoder(files, 6, 0).encode(['red', titles[0], null, ''])
    const row = (n: number) => [...ids.subarray(6 * n, 6 * n + 6)]
    assert.deepEqual(row(0), [start, model.vocab['red</w>'], end, end, end, end])
    assert.equal(row(1)[0], start)
    assert.equal(row(1)[5], end)
    assert.deepEqual(row(1).slice(1, 3), [model.vocab['red</w>'], model.vocab['leather</w>']])
    assert.ok(!row(1).slice(0, 5).includes(end))
    assert.deepEqual(row(2), [start, end, end, end, end, end])
    assert.deepEqual(row(3), row(2))
  })

  test('when tokenizer.json is saved and read then the ids are the same, in any reader of the format', async () => {
    const path = join(folder, 'saved')
    await mkdir(path)
    await writeFile(join(path, 'tokenizer.json'), JSON.stringify(files.tokenizer))
    await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify(files.config))
    const read: TokenizerFiles = readTokenizer(path)
    assert.deepEqual(read, files)
    const texts = [...titles, '鞋 unseen']
    assert.deepEqual(textEncoder(read, 32, 0).encode(texts), textEncoder(files, 32, 0).encode(texts))
    const other = new Tokenizer(read.tokenizer, read.config)
    const [title] = titles
    const ids = other.encode(title!).ids
    assert.deepEqual([...textEncoder(files, ids.length, 0).encode([title])], ids)
  })

  test('when tokenizer.json is missing or broken then the error says where', async () => {
    await assert.rejects(async () => readTokenizer(folder), { id: 'tokenizer-missing' })
    await writeFile(join(folder, 'tokenizer.json'), 'not\njson')
    await assert.rejects(async () => readTokenizer(folder), { id: 'tokenizer-broken', message: /tokenizer\.json: .+$/ })
  })
})

describe('Tokenizers of published models', () => {
  const { path, skip } = sharedFile('fixtures/hf-chinese_clip')
  test('when a BERT has vocab.txt and no tokenizer.json then token ids are those of transformers', {
    skip,
  }, async () => {
    const { vocab } = readTokenizer(path).tokenizer['model'] as { vocab: Record<string, number> }
    const lines = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b])
    const bert = join(folder, 'bert')
    await mkdir(bert)
    await writeFile(join(bert, 'vocab.txt'), `${lines.join('\n')}\n`)
    const expected = new SafetensorsFile(join(path, 'expected.safetensors'))
    const texts = JSON.parse(await readFile(join(path, 'texts.json'), 'utf8')) as string[]
    const { encode } = textEncoder(readTokenizer(bert), expected.shape('input_ids')[1], 0)
    assert.deepEqual(encode(texts), expected.ints('input_ids'))
    expected.close()
  })
})
