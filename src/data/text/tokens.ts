/** Special tokens of a tokenizer: those with a role, and those added to the vocabulary. */
import { UserError } from '../../base/errors.js'
import { type AddedToken, specialToken } from './tokenizerFiles.js'

type Json = Record<string, unknown>

/** The text of a token that is written as text or as an object with flags; undefined if there is none. */
export function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  const { content } = (token ?? {}) as { content?: unknown }
  return typeof content === 'string' ? content : undefined
}

/** A vocabulary without tokenizer.json, and what the files next to it say about tokens. */
export interface Vocabulary {
  /** File with the vocabulary. */
  path: string
  vocab: Record<string, number>
  /** tokenizer_config.json, completed by special_tokens_map.json. */
  config: Json
  /** added_tokens.json: ids by token. */
  added: Json
}

/** Roles of tokens with the text that each has unless the files say otherwise. */
export type Roles = Record<string, string>

/** The text of each role. @throws UserError `tokenizer-marks` if one is not in the vocabulary. */
export function rolesOf<R extends Roles>(vocabulary: Vocabulary, roles: R): Record<keyof R, string> {
  const { config, path } = vocabulary
  const named = Object.entries(roles).map(([role, usual]): [string, string] => {
    const text = config[role] === undefined || config[role] === null ? usual : tokenText(config[role])
    if (text !== undefined && idOf(vocabulary, text) !== undefined) return [role, text]
    const what = `the ${role} ${JSON.stringify(text ?? config[role])} is not in the vocabulary`
    const remedy = 'name the right token in tokenizer_config.json, or add the tokenizer.json of the model'
    throw new UserError({ id: 'tokenizer-marks', where: path, what, remedy })
  })
  return Object.fromEntries(named) as Record<keyof R, string>
}

/** The tokens that no text is split into: those of `roles`, and those that the files add to the vocabulary. */
export function addedTokens(vocabulary: Vocabulary, roles: Roles): AddedToken[] {
  const { config, added } = vocabulary
  const tokens = new Map<string, AddedToken>()
  const decoder = config['added_tokens_decoder'] as Record<string, Partial<AddedToken>> | undefined
  for (const [id, token] of Object.entries(decoder ?? {})) {
    const content = tokenText(token)
    if (content !== undefined) tokens.set(content, { ...flagsOf(token, false), id: Number(id), content })
  }
  const extra = ['additional_special_tokens', 'extra_special_tokens'].flatMap((key) => {
    const list = config[key]
    return Array.isArray(list) ? list : []
  })
  const special = new Map(
    [...Object.keys(roles).map((role) => config[role] ?? roles[role]), ...extra].map((token) => [
      tokenText(token),
      token,
    ]),
  )
  for (const [content, id] of Object.entries(added)) {
    if (!tokens.has(content)) tokens.set(content, { ...flagsOf({}, special.has(content)), id: id as number, content })
  }
  for (const [content, token] of special) {
    const id = content === undefined ? undefined : idOf(vocabulary, content)
    if (content === undefined || id === undefined || tokens.has(content)) continue
    tokens.set(content, { ...flagsOf(token, true), id, content, special: true })
  }
  return [...tokens.values()].sort((a, b) => a.id - b.id)
}

function flagsOf(token: unknown, special: boolean): AddedToken {
  const given = typeof token === 'object' && token !== null ? (token as Partial<AddedToken>) : {}
  const { single_word, lstrip, rstrip, normalized } = given
  const isSpecial = given.special ?? special
  const plain = specialToken(0, '')
  return {
    ...plain,
    single_word: single_word ?? false,
    lstrip: lstrip ?? false,
    rstrip: rstrip ?? false,
    normalized: normalized ?? !isSpecial,
    special: isSpecial,
  }
}

/** The id of a token in the vocabulary or among the added ones. */
function idOf({ vocab, added, config }: Vocabulary, token: string): number | undefined {
  if (Object.hasOwn(vocab, token)) return vocab[token]
  if (Object.hasOwn(added, token)) return added[token] as number
  const decoder = Object.entries((config['added_tokens_decoder'] ?? {}) as Json)
  const found = decoder.find(([, value]) => tokenText(value) === token)
  return found && Number(found[0])
}
