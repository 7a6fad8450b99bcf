import type { Random } from '../../base/random.js'
import type { Preprocessing } from '../../checkpoint/preprocessing.js'
import { type Augmentation, augmentPicture, augmentTitle, changesPictures } from '../../data/items/augment.js'
import type { BatchCatalogue } from '../../data/items/catalogue.js'
import type { Pictures } from '../../data/pictures/pictures.js'
import { takeRows } from '../../data/tables/matrix.js'
import { type TextEncoder, textEncoder } from '../../data/text/tokenizer.js'
import type { TokenizerFiles } from '../../data/text/tokenizerFiles.js'
import type { EncoderShape } from '../../models/encoder.js'

/** Augmentation and preprocessing of pictures and titles, as plain data. */
export interface ViewOptions {
  preprocessing: Preprocessing
  tokenizer: TokenizerFiles
  /** Tokens of a title. */
  length: number
  padToken: number
  augmentation: Augmentation
}

export function viewOptions(
  { preprocessing, tokenizer }: { preprocessing: Preprocessing; tokenizer: TokenizerFiles },
  { length, config }: EncoderShape,
  augmentation: Augmentation,
): ViewOptions {
  return { preprocessing, tokenizer, length, padToken: config.text.padToken, augmentation }
}

/** Augmented pictures and titles for training. */
export class Views {
  private encoder: TextEncoder | undefined

  constructor(private readonly options: ViewOptions) {}

  /** Normalized pixels [rows, 3, size, size]. */
  async pixels(pictures: Pictures, rows: ArrayLike<number>, random: Random): Promise<Float32Array> {
    const { preprocessing, augmentation } = this.options
    const change = (picture: Uint8Array) => augmentPicture(picture, pictures.size, augmentation, random)
    return pictures.normalized(rows, preprocessing, changesPictures(augmentation) ? change : undefined)
  }

  /** Token ids [rows, length] of the catalogue's titles. */
  titles({ items, tokens }: BatchCatalogue, rows: Int32Array, random: Random): Int32Array {
    const { augmentation, length, tokenizer, padToken } = this.options
    if (augmentation.dropWords === 0) return takeRows(tokens, length, rows)
    this.encoder ??= textEncoder(tokenizer, length, padToken)
    const shortened = (title: string | null) => (title === null ? null : augmentTitle(title, augmentation, random))
    return this.encoder.encode(Array.from(rows, (row) => shortened(items.titles.at(row)!)))
  }
}
