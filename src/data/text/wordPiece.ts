import type { TokenizerFiles } from './tokenizerFiles.js'
import { addedTokens, rolesOf, type Vocabulary } from './tokens.js'

const roles = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
}

/** The settings of `BertNormalizer` that tokenizer_config.json may have, with the defaults of transformers. */
export function bertNormalizer(config: Record<string, unknown>) {
  return {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: config['tokenize_chinese_chars'] ?? true,
    strip_accents: config['strip_accents'] ?? null,
    lowercase: config['do_lower_case'] ?? true,
  }
}

/** The tokenizer of a BERT model. @throws UserError `tokenizer-marks` if the vocabulary lacks a special token. */
export function bertTokenizer(vocabulary: Vocabulary): TokenizerFiles {
  const { vocab, config } = vocabulary
  // A mask token is needed in training of BERT alone.
  const { mask_token: _, ...needed } = roles
  const named = rolesOf(vocabulary, needed)
  const added = addedTokens(vocabulary, roles)
  const mark = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } })
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } })
  const { cls_token: first, sep_token: last } = named
  const ids = new Map(added.map(({ content, id }) => [content, id]))
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: bertNormalizer(config),
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [mark(first, 0), sequence('A', 0), mark(last, 0)],
        pair: [mark(first, 0), sequence('A', 0), mark(last, 0), sequence('B', 1), mark(last, 1)],
        special_tokens: Object.fromEntries(
          [first, last].map((token) => [token, { id: token, ids: [ids.get(token)], tokens: [token] }]),
        ),
      },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: named.unk_token,
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab,
      },
    },
    config: { ...roles, tokenizer_class: 'BertTokenizer', ...config },
  }
}
