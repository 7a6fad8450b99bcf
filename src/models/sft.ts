/** The computation of a C-SFT step. */

import { sameGroupMask, temperature } from '../losses/contrastive.js'
import { type Level, multiLevelInfoNce } from '../losses/multiLevel.js'
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, concat, constant, input, sliceAxis, stopGradient, type Tensor, variable } from '../ops/index.js'
import { imageFeatures, logitScale, textFeatures } from './dualEncoder.js'
import { contentVector, contentWidth, type EncoderShape, pixelInput, tokenInput } from './encoder.js'

/** Rows of a step: anchors by kind (in this order), their items, and what else they are held against. */
export interface SftSizes {
  image: number
  text: number
  product: number
  /** Hard negatives. */
  hard: number
  /** Vectors in the queue. */
  queue: number
}

export const batchOf = ({ image, text, product }: SftSizes) => image + text + product

/** Rows of the pixel and token inputs of a step: anchors, then items, then hard negatives. */
export const pixelRows = (s: SftSizes) => s.image + s.product + batchOf(s) + s.hard
export const tokenRows = (s: SftSizes) => s.text + s.product + batchOf(s) + s.hard

export const queueVariable = 'queue'

interface Towers {
  image: Tensor
  text: Tensor
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const ones = (count: number) => constant(1, [count])
const zeros = (rows: number, width: number) => constant(0, [rows, width])
const block = (x: Tensor, from: number, count: number) => sliceAxis(x, 0, from, from + count)
const join = (parts: Tensor[]) => {
  const filled = parts.filter(({ shape }) => shape[0] > 0)
  return filled.length === 1 ? filled[0] : concat(filled, 0)
}

/** Logarithm of the factor on cosines between anchors and candidates. */
export const choiceScale = 'choice.logit_scale'

/**
 * The loss of a step. Inputs: `pixel_values` and `input_ids` (anchors, items, hard negatives),
 * `product_has_image`, `product_has_text`, `item_has_image`, `item_has_text` (the latter with the hard
 * negatives), `bias` [batch, batch + hard + queue] and `row_weights`.
 */
export function sftLoss(
  p: Parameters,
  shape: EncoderShape,
  s: SftSizes,
  weights: { fused: number; image: number; text: number; alignment: number },
) {
  const { config } = shape
  const d = config.projection
  const batch = batchOf(s)
  const images = l2Normalize(imageFeatures(p, pixelInput(shape, pixelRows(s)), config))
  const texts = l2Normalize(textFeatures(p, tokenInput(shape, tokenRows(s)), config))
  const productHas = { image: input('product_has_image', [s.product]), text: input('product_has_text', [s.product]) }
  const itemHas = { image: input('item_has_image', [batch + s.hard]), text: input('item_has_text', [batch + s.hard]) }

  const anchorImage = {
    vectors: block(images, 0, s.image + s.product),
    present: join([ones(s.image), productHas.image]),
  }
  const anchorText = { vectors: block(texts, 0, s.text + s.product), present: join([ones(s.text), productHas.text]) }
  const anchors = contentVector(
    p,
    {
      image: join([block(images, 0, s.image), zeros(s.text, d), block(images, s.image, s.product)]),
      text: join([zeros(s.image, d), block(texts, 0, s.text), block(texts, s.text, s.product)]),
      hasImage: join([ones(s.image), constant(0, [s.text]), productHas.image]),
      hasText: join([constant(0, [s.image]), ones(s.text), productHas.text]),
    },
    shape,
  )
  const items: Towers = {
    image: block(images, s.image + s.product, batch + s.hard),
    text: block(texts, s.text + s.product, batch + s.hard),
  }
  const content = contentVector(p, { ...items, hasImage: itemHas.image, hasText: itemHas.text }, shape)
  const queue = s.queue > 0 ? [stopGradient(variable(queueVariable, [s.queue, contentWidth(shape)]))] : []

  const rows = (list: number[]) => constant(list, [list.length], 'int32')
  const products = numbers(s.image + s.text, s.product)
  const levels: Level[] = [
    {
      weight: weights.fused,
      anchors,
      anchorsPresent: ones(batch),
      rows: rows(numbers(0, batch)),
      candidates: join([content, ...queue]),
      candidatesPresent: ones(batch + s.hard + s.queue),
    },
    {
      weight: weights.image,
      anchors: anchorImage.vectors,
      anchorsPresent: anchorImage.present,
      rows: rows([...numbers(0, s.image), ...products]),
      candidates: items.image,
      candidatesPresent: itemHas.image,
    },
    {
      weight: weights.text,
      anchors: anchorText.vectors,
      anchorsPresent: anchorText.present,
      rows: rows([...numbers(s.image, s.text), ...products]),
      candidates: items.text,
      candidatesPresent: itemHas.text,
    },
  ]
  const used = levels.filter(({ weight, anchors }) => weight > 0 && anchors.shape[0] > 0)
  const bias = input('bias', [batch, batch + s.hard + s.queue])
  // What people choose is far less certain than which title belongs to a picture: that the logits may be smaller
  // without the vectors huddling together, the choice has a temperature of its own.
  const choice = temperature(p.get(choiceScale, [], { fill: Math.log(10) }))
  const chosen = multiLevelInfoNce(used, choice, bias, input('row_weights', [batch]))
  if (weights.alignment === 0) return chosen
  const own = (x: Tensor, present: Tensor) => ({ x: block(x, 0, batch), present: block(present, 0, batch) })
  const alignment = (from: ReturnType<typeof own>, to: ReturnType<typeof own>): Level => ({
    weight: weights.alignment / 2,
    anchors: from.x,
    anchorsPresent: from.present,
    rows: rows(numbers(0, batch)),
    candidates: to.x,
    candidatesPresent: to.present,
  })
  const [image, text] = [own(items.image, itemHas.image), own(items.text, itemHas.text)]
  const pairs = [alignment(image, text), alignment(text, image)]
  const mask = sameGroupMask(input('item_group', [batch], 'int32'))
  return add(chosen, multiLevelInfoNce(pairs, temperature(logitScale(p, config)), mask, ones(batch)))
}

/** Content vectors [batch, width] of the step's items by another encoder, to be queued; without gradient. */
export function queuedVectors(
  p: Parameters,
  shape: EncoderShape,
  s: SftSizes,
  inputs: ReadonlyMap<string, Tensor>,
): Tensor {
  const { config } = shape
  const batch = batchOf(s)
  const read = (name: string) => inputs.get(name)!
  const image = l2Normalize(imageFeatures(p, block(read('pixel_values'), s.image + s.product, batch), config))
  const text = l2Normalize(textFeatures(p, block(read('input_ids'), s.text + s.product, batch), config))
  const has = { hasImage: block(read('item_has_image'), 0, batch), hasText: block(read('item_has_text'), 0, batch) }
  return contentVector(p, { image, text, ...has }, shape)
}
