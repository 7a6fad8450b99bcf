/** The files of a tokenizer, as they are copied from checkpoint to checkpoint. */
export interface TokenizerFiles {
  tokenizer: Record<string, unknown>
  config: Record<string, unknown>
}

/** An entry of `added_tokens` that stands for itself: no text is ever split into it. */
export function specialToken(id: number, content: string) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}
