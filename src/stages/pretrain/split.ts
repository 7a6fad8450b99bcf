/** Splits the items of a catalogue into training and held-out items, and finds the modalities to train on. */
import { UserError } from '../../base/errors.js'
import { Random } from '../../base/random.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import { changesPictures } from '../../data/items/augment.js'
import type { Catalogue } from '../../data/items/catalogue.js'

/** Modalities of a catalogue: `both` if some items have picture and title. */
export type Modalities = 'both' | 'image' | 'text'

/** @throws UserError `modalities-apart` if some items have a picture, others a title, and none both. */
function modalitiesOf({ items, hasImage, hasText }: Catalogue): Modalities {
  let [images, texts] = [0, 0]
  for (let row = 0; row < items.count; row++) {
    if (hasImage[row] && hasText[row]) return 'both'
    images += hasImage[row]
    texts += hasText[row]
  }
  if (images === 0 || texts === 0) return images > 0 ? 'image' : 'text'
  throw new UserError({
    id: 'modalities-apart',
    where: items.table.path,
    what: `${images} items have a picture, ${texts} others a title, and none has both`,
    expected: 'items with both, or a catalogue with one modality',
    remedy:
      'join pictures and titles by item, or set data.columns.image to a name that no column has to train on titles only',
  })
}

/**
 * Shuffles the items that have all modalities of the catalogue, in the same order for every seed, and holds out the
 * first `evaluation.items`, but at most a fifth.
 * @throws UserError `modalities-apart`, `views-equal` if augmentation makes no two views of an item, `items-few`.
 */
export function splitItems(catalogue: Catalogue, { train, evaluation, augment }: PretrainConfig) {
  const { hasImage, hasText } = catalogue
  const modalities = modalitiesOf(catalogue)
  const varies = { both: true, image: changesPictures(augment), text: augment.dropWords > 0 }
  if (!varies[modalities]) {
    throw new UserError({
      id: 'views-equal',
      what:
        modalities === 'text'
          ? 'no item has a picture, and augment.dropWords is 0'
          : 'no item has a title, and augment changes no picture',
      expected: 'two different views of an item, which training with one modality needs',
      remedy: modalities === 'text' ? 'set augment.dropWords' : 'set augment.crop, augment.mirror or augment.tint',
    })
  }
  const fits = {
    both: (row: number) => hasImage[row] && hasText[row],
    image: (row: number) => hasImage[row],
    text: (row: number) => hasText[row],
  }
  const complete = Int32Array.from(hasImage.keys()).filter(fits[modalities])
  Random.of('held out').shuffle(complete)
  const heldOut = Math.min(evaluation.items, Math.floor(complete.length / 5))
  if (complete.length - heldOut < train.batch || heldOut < 2) {
    const have = {
      both: 'both picture and title',
      image: 'a picture (and none a title)',
      text: 'a title (and none a picture)',
    }
    throw new UserError({
      id: 'items-few',
      what: `${complete.length} items have ${have[modalities]}`,
      expected: `at least ${Math.max(10, Math.ceil((train.batch * 5) / 4))} for train.batch ${train.batch}`,
      remedy: 'provide more items or lower train.batch',
    })
  }
  return { modalities, heldOut: complete.slice(0, heldOut), train: complete.slice(heldOut) }
}

export type Split = ReturnType<typeof splitItems>
