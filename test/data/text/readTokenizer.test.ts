import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Tokenizer } from '@huggingface/tokenizers'
import type { Warning } from '../../../src/base/warning.js'
import { readTokenizer } from '../../../src/data/text/readTokenizer.js'
import { assertRefused } from '../../errors/refused.js'
import { root } from '../../fixtures.js'
import { temporaryFolder } from '../../sample/folders.js'

const folder = await temporaryFolder()
const fixtures = join(root, 'test/fixtures/checkpoints')
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
let copies = 0

/** A copy of a fixture with other files; null removes one. */
function copy(name: string, files: Record<string, unknown> = {}): string {
  const path = join(folder, `${name} ${copies++}`)
  cpSync(join(fixtures, name), path, { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    if (content === null) rmSync(join(path, file))
    else writeFileSync(join(path, file), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return path
}

function idsOf(path: string): (text: string) => number[] {
  const { tokenizer, config } = readTokenizer(path)
  const encoder = new Tokenizer(tokenizer, config)
  return (text) => encoder.encode(text).ids
}

describe('Tokenizers without tokenizer.json', () => {
  for (const name of ['clip', 'bert']) {
    test(`when a ${name} has its vocabulary alone then all ids are those of transformers`, () => {
      const ids = idsOf(join(fixtures, name))
      const expected = json(fixtures, name, 'ids.json') as [string, number[]][]
      assert.ok(expected.length > 80)
      for (const [text, wanted] of expected) assert.deepEqual(ids(text), wanted, JSON.stringify(text))
    })

    test(`when the tokenizer of a ${name} is saved as tokenizer.json then it is read as the same`, () => {
      const { tokenizer, config } = readTokenizer(join(fixtures, name))
      const path = copy(name, { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config, 'ids.json': null })
      assert.deepEqual(readTokenizer(path), { tokenizer, config })
    })
  }

  test('when special_tokens_map.json names other tokens then they go before tokenizer_config.json', () => {
    const path = copy('clip', { 'special_tokens_map.json': { pad_token: '!', eos_token: { content: 'red</w>' } } })
    const { config } = readTokenizer(path)
    const vocab = json(path, 'vocab.json') as Record<string, number>
    assert.deepEqual([config['pad_token'], config['model_max_length']], ['!', 77])
    assert.equal(idsOf(path)('a').at(-1), vocab['red</w>'])
  })

  test('when tokenizer_config.json has added_tokens_decoder then it counts and the older files do not', () => {
    const vocab = json(fixtures, 'clip/vocab.json') as Record<string, number>
    const end = { content: '<|endoftext|>', special: true, normalized: false }
    const decoder = { [vocab['<|endoftext|>']]: end, 900: { content: '<brand>', special: false } }
    const path = copy('clip', { 'tokenizer_config.json': { added_tokens_decoder: decoder } })
    assert.ok(idsOf(path)('a<brand>b').includes(900))
    assert.ok(!idsOf(path)('a<new>b').includes(Object.keys(vocab).length))
  })

  test('when a token with a role is not in the vocabulary then the error names it', async () => {
    const path = copy('clip', { 'special_tokens_map.json': { bos_token: '<s>' } })
    await assertRefused(() => readTokenizer(path), 'tokenizer-marks', /vocab\.json: the bos_token "<s>" is not in the/)
    const bert = copy('bert', { 'vocab.txt': '[PAD]\n[UNK]\n[CLS]\na\n' })
    await assertRefused(() => readTokenizer(bert), 'tokenizer-marks', /vocab\.txt: the sep_token "\[SEP\]"/)
  })

  test('when the vocabulary is of another class then it is refused by name', async () => {
    const of = (name: string, config: object) => () => readTokenizer(copy(name, { 'tokenizer_config.json': config }))
    await assertRefused(
      of('clip', { tokenizer_class: 'GPT2Tokenizer' }),
      'tokenizer-class',
      /of a GPT2Tokenizer; expected CLIP/,
    )
    await assertRefused(
      of('bert', { tokenizer_class: 'XLMTokenizer' }),
      'tokenizer-class',
      /of a XLMTokenizer; expected Bert/,
    )
    await assertRefused(of('bert', { do_basic_tokenize: false }), 'tokenizer-class', /do_basic_tokenize is false/)
    const plain = copy('clip', { 'vocab.json': { a: 0, b: 1 }, 'tokenizer_config.json': {} })
    await assertRefused(() => readTokenizer(plain), 'tokenizer-class', /no token ends with <\/w>/)
  })

  test('when vocab.json or merges.txt is broken then the error names file, line and token', async () => {
    const broken = (files: Record<string, unknown>, message: RegExp) =>
      assertRefused(() => readTokenizer(copy('clip', files)), 'tokenizer-broken', message)
    await broken({ 'merges.txt': '#version: 0.2\nred\n' }, /merges\.txt: line 2 is "red"; expected two tokens/)
    await broken({ 'merges.txt': 'q zz\n' }, /merges\.txt: line 1: "zz" is not in vocab\.json/)
    await broken({ 'vocab.json': { 'a</w>': '7' } }, /vocab\.json: token "a<\/w>" has the id "7"; expected a number/)
    await broken({ 'vocab.json': '[1]' }, /vocab\.json: a list: .*; copy the file of the model again/)
    await broken({ 'added_tokens.json': '{' }, /added_tokens\.json: /)
  })

  test('when merges.txt is not there then the error names what could be', async () => {
    const path = copy('clip', { 'merges.txt': null })
    await assertRefused(
      () => readTokenizer(path),
      'tokenizer-missing',
      /expected it, or vocab\.json and merges\.txt, or vocab\.txt/,
    )
  })
})

describe('tokenizer.json beside the class of tokenizer_config.json', () => {
  const read = (name: string, tokenizer: object, config: object) => {
    const warnings: Warning[] = []
    const files = readTokenizer(copy(name, { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config }), (w) =>
      warnings.push(w),
    )
    return { ...files, warnings: warnings.map(({ id }) => id) }
  }

  test('when a CLIPTokenizer divides words in another way then CLIP’s way is used, as by transformers, and said', () => {
    const { tokenizer } = readTokenizer(join(fixtures, 'clip'))
    const odd = { ...tokenizer, normalizer: { type: 'Lowercase' }, pre_tokenizer: { type: 'Whitespace' } }
    const clip = read('clip', odd, { tokenizer_class: 'CLIPTokenizerFast' })
    assert.deepEqual([clip.tokenizer, clip.warnings], [tokenizer, ['tokenizer-differs']])
    const plain = read('clip', odd, { tokenizer_class: 'PreTrainedTokenizerFast' })
    assert.deepEqual([plain.tokenizer, plain.warnings], [odd, []])
  })

  test('when do_lower_case of a BertTokenizer differs from tokenizer.json then it counts, and that is said', () => {
    const { tokenizer } = readTokenizer(join(fixtures, 'bert'))
    const { tokenizer: changed, warnings } = read('bert', tokenizer, {
      tokenizer_class: 'BertTokenizer',
      do_lower_case: true,
    })
    assert.deepEqual(
      [(changed['normalizer'] as { lowercase: boolean }).lowercase, warnings],
      [true, ['tokenizer-differs']],
    )
    assert.deepEqual(read('bert', tokenizer, { tokenizer_class: 'BertTokenizer', do_lower_case: false }).warnings, [])
  })
})
