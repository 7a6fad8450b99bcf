/** Contents of tokenizer.json and tokenizer_config.json, which are copied from checkpoint to checkpoint. */
export interface TokenizerFiles {
  tokenizer: Record<string, unknown>
  config: Record<string, unknown>
}

/** An entry of `added_tokens`: a token that no text is split into. */
export interface AddedToken {
  id: number
  content: string
  single_word: boolean
  lstrip: boolean
  rstrip: boolean
  /** Whether it is searched in the normalized text. */
  normalized: boolean
  special: boolean
}

export function specialToken(id: number, content: string): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}
