/** Whether the tokenizer of a checkpoint fits its text tower. */
import { UserError } from '../base/errors.js'
import type { Warning } from '../base/warning.js'
import { emptyText, tokenIds } from '../data/text/tokenizer.js'
import type { TokenizerFiles } from '../data/text/tokenizerFiles.js'
import type { DualEncoderConfig } from '../models/config.js'

/** The end token of OpenAI's configurations: the model reads the token with the highest id. */
const legacyEnd = 2

/**
 * Checks that the ids in config.json are those of the tokenizer in `folder`. transformers does not: with a wrong end
 * token the vectors of all texts are equal.
 * @throws UserError `tokenizer-ids` for another end or padding token; `tokenizer-broken`.
 */
export function checkTokenizer(
  files: TokenizerFiles,
  { architecture, text }: DualEncoderConfig,
  folder: string,
  warn: (warning: Warning) => void,
): void {
  const { ids, pad } = emptyText(files, folder)
  const highest = highestId(tokenIds(files, folder))
  const refuse = (key: string, found: number, expected: string) =>
    new UserError({
      id: 'tokenizer-ids',
      where: folder,
      what: `text_config.${key} in config.json is ${found}`,
      expected,
      remedy: 'correct the number, or use the tokenizer of the model',
    })
  const end = ids[ids.length - 1]
  if (architecture === 'clip' && text.endToken === legacyEnd) {
    if (end !== highest.id) {
      const what = `eos_token_id ${legacyEnd} means the highest id of a text, but the tokenizer ends texts with ${end}, not ${highest.id}`
      warn({ id: 'text-end', where: folder, what, remedy: `write ${end} into text_config of config.json` })
    }
  } else if (architecture === 'clip' && !ids.includes(text.endToken)) {
    throw refuse('eos_token_id', text.endToken, `${end}, which the tokenizer puts at the end of each text`)
  }
  if (architecture === 'chinese_clip' && pad !== undefined && pad !== text.padToken) {
    throw refuse('pad_token_id', text.padToken, `${pad}, which the tokenizer pads with`)
  }
  if (highest.id >= text.vocabulary) {
    const what = `the tokenizer has tokens that the model does not know, e.g. ${JSON.stringify(highest.token)} with id ${highest.id}`
    const remedy = `text_config.vocab_size is ${text.vocabulary}: use the tokenizer of the model`
    warn({ id: 'tokenizer-vocabulary', where: folder, what, remedy })
  }
}

function highestId(ids: ReadonlyMap<string, number>): { token: string; id: number } {
  let highest = { token: '', id: -1 }
  for (const [token, id] of ids) if (id > highest.id) highest = { token, id }
  return highest
}
