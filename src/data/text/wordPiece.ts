import { specialToken, type TokenizerFiles } from './tokenizerFiles.js'

const specialTokens = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
}

/** The tokenizer of a BERT model; `vocabulary` has one token per line, in the order of ids; `config` is tokenizer_config.json. */
export function bertTokenizer(vocabulary: string, config: Record<string, unknown>): TokenizerFiles {
  const vocab = Object.fromEntries(
    vocabulary
      .replace(/\r?\n$/, '')
      .split(/\r?\n/)
      .map((token, id) => [token, id]),
  )
  const mark = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } })
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } })
  const { cls_token: first, sep_token: last } = specialTokens
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: Object.values(specialTokens)
        .filter((token) => token in vocab)
        .map((token) => specialToken(vocab[token], token)),
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: config['tokenize_chinese_chars'] ?? true,
        strip_accents: config['strip_accents'] ?? null,
        lowercase: config['do_lower_case'] ?? true,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [mark(first, 0), sequence('A', 0), mark(last, 0)],
        pair: [mark(first, 0), sequence('A', 0), mark(last, 0), sequence('B', 1), mark(last, 1)],
        special_tokens: Object.fromEntries(
          [first, last].map((token) => [token, { id: token, ids: [vocab[token]], tokens: [token] }]),
        ),
      },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: specialTokens.unk_token,
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab,
      },
    },
    config: { ...specialTokens, tokenizer_class: 'BertTokenizer', ...config },
  }
}
