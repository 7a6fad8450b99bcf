/** Reads the tokenizer of a model from the files that a version of transformers left. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { UserError } from '../../base/errors.js'
import { brokenFile, readJson as readObject, requireFile } from '../../base/ownFile.js'
import type { Warning } from '../../base/warning.js'
import { clipTokenizer, withClipSplitting, wordEnd } from './clipBpe.js'
import type { TokenizerFiles } from './tokenizerFiles.js'
import { addedTokens, rolesOf, type Vocabulary } from './tokens.js'
import { bertNormalizer, bertTokenizer } from './wordPiece.js'

type Json = Record<string, unknown>

/** What the tokenizer of a folder is read from: the first list of files that the folder has all of. */
const formats = [['tokenizer.json'], ['vocab.json', 'merges.txt'], ['vocab.txt']] as const
/** Files that are read with each of them; the last two without tokenizer.json or `added_tokens_decoder`. */
const besides = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'] as const

/** All files that a tokenizer may be read from. */
export const tokenizerFileNames: readonly string[] = [...formats.flat(), ...besides]

/** The files of them that are read in `folder`; empty if it has no tokenizer. */
export function tokenizerFilesIn(folder: string): string[] {
  const there = (name: string) => existsSync(join(folder, name))
  const format = formats.find((names) => names.every(there))
  return format ? [...format, ...besides.filter(there)] : []
}

/**
 * Reads tokenizer.json, else vocab.json and merges.txt of CLIP, else vocab.txt of BERT, with the special tokens that
 * the other files name.
 * @throws UserError `tokenizer-missing` if the folder has none of them; `tokenizer-broken` for a file that cannot be
 * parsed; `tokenizer-class` for a vocabulary of another tokenizer; `tokenizer-marks` for a special token that is not in
 * the vocabulary. `warn` gets what is replaced.
 */
export function readTokenizer(folder: string, warn: (warning: Warning) => void = () => {}): TokenizerFiles {
  const files = tokenizerFilesIn(folder)
  const optional = (name: string) => (files.includes(name) ? readJson(join(folder, name)) : {})
  const stated = optional('tokenizer_config.json')
  // As in transformers: these files are of versions that did not write `added_tokens_decoder`.
  const isOld = stated['added_tokens_decoder'] === undefined
  const config = isOld ? { ...stated, ...optional('special_tokens_map.json') } : stated
  if (files.includes('tokenizer.json')) return readWhole(join(folder, 'tokenizer.json'), config, warn)
  const added = isOld ? optional('added_tokens.json') : {}
  const path = join(folder, files[0] ?? '')
  if (files.includes('merges.txt'))
    return readClip({ path, vocab: readVocab(path), config, added }, join(folder, 'merges.txt'))
  if (files.includes('vocab.txt')) return readBert({ path, vocab: readLines(path), config, added })
  throw new UserError({
    id: 'tokenizer-missing',
    where: folder,
    what: 'tokenizer.json is missing',
    expected: `it, or ${formats
      .slice(1)
      .map((names) => names.join(' and '))
      .join(', or ')}`,
    remedy:
      'load the tokenizer with AutoTokenizer of transformers and call save_pretrained, which writes tokenizer.json',
  })
}

/** tokenizer.json as transformers 5 reads it: CLIP and BERT have a normalization of their own. */
function readWhole(path: string, config: Json, warn: (warning: Warning) => void): TokenizerFiles {
  const read = readJson(path)
  const { type } = (read['model'] ?? {}) as Json
  const stated = String(config['tokenizer_class'])
  const tokenizer =
    clipClass.test(stated) && type === 'BPE'
      ? withClipSplitting(read)
      : bertClass.test(stated)
        ? withBertOptions(read, config)
        : read
  if (tokenizer !== read) {
    const what = `the normalization or the division into words differs from the ${stated} in tokenizer_config.json, which is used`
    const remedy = 'name the class PreTrainedTokenizerFast to use tokenizer.json as it is'
    warn({ id: 'tokenizer-differs', where: path, what, remedy })
  }
  return { tokenizer, config }
}

const clipClass = /^CLIPTokenizer(Fast)?$/
const bertClass = /^BertTokenizer(Fast)?$/

/** The options of normalization in tokenizer_config.json go before those in tokenizer.json. */
function withBertOptions(tokenizer: Json, config: Json): Json {
  const found = (tokenizer['normalizer'] ?? {}) as Json
  if (found['type'] !== 'BertNormalizer') return tokenizer
  const normalizer = { ...found, ...bertNormalizer(config), clean_text: found['clean_text'] ?? true }
  return isDeepStrictEqual(normalizer, found) ? tokenizer : { ...tokenizer, normalizer }
}

function readClip(vocabulary: Vocabulary, mergesPath: string): TokenizerFiles {
  const { path, vocab, config } = vocabulary
  checkClass(vocabulary, clipClass, 'CLIPTokenizer')
  if (!Object.keys(vocab).some((token) => token.endsWith(wordEnd))) {
    throw otherTokenizer(path, `no token ends with ${wordEnd}`, 'the vocabulary of a CLIPTokenizer')
  }
  const roles = {
    unk_token: '<|endoftext|>',
    bos_token: '<|startoftext|>',
    eos_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
  }
  const { unk_token: unknown, bos_token: start, eos_token: end } = rolesOf(vocabulary, roles)
  const added = addedTokens(vocabulary, roles)
  const merges = readMerges(mergesPath, vocab)
  const tokenizer = clipTokenizer({ vocab, merges, added, start, end, unknown })
  return { tokenizer, config: { ...roles, tokenizer_class: 'CLIPTokenizer', ...config } }
}

function readBert(vocabulary: Vocabulary): TokenizerFiles {
  checkClass(vocabulary, bertClass, 'BertTokenizer')
  if (vocabulary.config['do_basic_tokenize'] === false) {
    throw otherTokenizer(vocabulary.path, 'do_basic_tokenize is false', 'true, the default')
  }
  return bertTokenizer(vocabulary)
}

/** @throws UserError `tokenizer-class` if tokenizer_config.json names another class. */
function checkClass({ path, config }: Vocabulary, known: RegExp, name: string): void {
  const stated = config['tokenizer_class'] ?? name
  // A class without a vocabulary of its own says nothing.
  if (known.test(String(stated)) || /^(PreTrainedTokenizerFast|TokenizersBackend)$/.test(String(stated))) return
  throw otherTokenizer(path, `the vocabulary is of a ${String(stated)}`, name)
}

function otherTokenizer(where: string, what: string, expected: string): UserError {
  const remedy =
    'load the tokenizer with AutoTokenizer of transformers and call save_pretrained, which writes tokenizer.json'
  return new UserError({ id: 'tokenizer-class', where, what, expected, remedy })
}

/** The vocabulary in vocab.json: ids by token. */
function readVocab(path: string): Record<string, number> {
  const vocab = readJson(path)
  const wrong = Object.entries(vocab).find(([, id]) => !Number.isInteger(id) || (id as number) < 0)
  if (wrong)
    throw broken(path, `token ${JSON.stringify(wrong[0])} has the id ${JSON.stringify(wrong[1])}`, 'a number from 0')
  return vocab as Record<string, number>
}

/** The vocabulary in vocab.txt: one token per line, in the order of ids. */
function readLines(path: string): Record<string, number> {
  requireFile(path, recovery)
  const lines = readFileSync(path, 'utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
  return Object.fromEntries(lines.map((token, id) => [token, id]))
}

/** The pairs in merges.txt, in their order; the first line may name a version. */
function readMerges(path: string, vocab: Record<string, number>): [string, string][] {
  requireFile(path, recovery)
  const lines = readFileSync(path, 'utf8').split(/\r?\n/)
  const merges: [string, string][] = []
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '' || (i === 0 && line.startsWith('#version'))) continue
    const [a, b, ...more] = line.trim().split(' ')
    const isPair = b !== undefined && more.length === 0
    if (!isPair) throw broken(path, `line ${i + 1} is ${JSON.stringify(line)}`, 'two tokens')
    const missing = [a, b, a + b].find((token) => !Object.hasOwn(vocab, token))
    if (missing !== undefined) throw broken(path, `line ${i + 1}: ${JSON.stringify(missing)} is not in vocab.json`)
    merges.push([a, b])
  }
  return merges
}

function readJson(path: string): Json {
  return readObject(path, z.record(z.string(), z.unknown()), recovery)
}

const recovery = { id: 'tokenizer-broken', remedy: 'copy the file of the model again' }

function broken(where: string, what: string, expected?: string): UserError {
  return brokenFile(where, what, recovery, expected)
}
