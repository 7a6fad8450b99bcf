/** The computation of a C-SFT step. */

import { sameGroupMask, temperature } from '../losses/contrastive.js'
import { type Level, multiLevelInfoNce, type Pool, type Term, weightedSum } from '../losses/multiLevel.js'
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import {
  concat,
  constant,
  input,
  mean,
  mul,
  sliceAxis,
  stopGradient,
  sub,
  sum,
  type Tensor,
  variable,
} from '../ops/index.js'
import { logitScale } from './dualEncoder.js'
import { contentVector, contentWidth, type EncoderShape, type Modality } from './encoder.js'

/** Rows of a step: anchors by kind (in this order), their items, and what else they are held against. */
export interface SftSizes {
  image: number
  text: number
  product: number
  /** Hard negatives. */
  hard: number
  /** Vectors in the queue. */
  queue: number
  /** Towers that are run: of what any item or query has. */
  towers: readonly Modality[]
}

export const batchOf = ({ image, text, product }: SftSizes) => image + text + product

/** Rows of a tower's input in a step: anchors, then items, then hard negatives. */
export const towerRows = (s: SftSizes, modality: Modality) => s[modality] + s.product + batchOf(s) + s.hard

export const queueVariable = 'queue'

/** Unit vectors of pictures and of titles; absent where the tower is not run. */
export type Towers = Partial<Record<Modality, Tensor>>

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const ones = (count: number) => constant(1, [count])
const zeros = (rows: number, width: number) => constant(0, [rows, width])
const block = (x: Tensor, from: number, count: number) => sliceAxis(x, 0, from, from + count)
const join = (parts: Tensor[]) => {
  const filled = parts.filter(({ shape }) => shape[0] > 0)
  return filled.length > 1 ? concat(filled, 0) : (filled[0] ?? parts[0])
}

/** Logarithm of the factor on cosines between anchors and candidates. */
export const choiceScale = 'choice.logit_scale'

/** Weights of the terms of the loss, and what else shapes it; see the configuration. */
export interface SftLossOptions {
  levels: {
    fused: number
    image: number
    text: number
    alignment: number
    distillation: number
    matryoshka: readonly number[]
    prefix: number
  }
  temperature: { initial: number; lowest: number }
  denominator: 'shared' | 'separate'
}

/**
 * The loss of a step and its terms by name, of `towers`, each [towerRows, projection]: anchors, items, hard negatives.
 * A tower that is not run teaches nothing of its own. Inputs: `product_has_image`, `product_has_text`,
 * `item_has_image`, `item_has_text` (the latter with the hard negatives), `bias` [batch, batch + hard + queue],
 * `row_weights`, `item_group` and `first_vectors` [batch, width], what stage 1 made of the items. Where there is a
 * queue, `momentum` is the encoder that fills it, with what its towers make of the step's items [batch, projection];
 * `queued` are its content vectors of these [batch, width].
 */
export function sftLoss(
  p: Parameters,
  shape: EncoderShape,
  s: SftSizes,
  towers: Towers,
  { levels: weights, temperature: choice, denominator }: SftLossOptions,
  momentum?: { p: Parameters; towers: Towers },
): { loss: Tensor; terms: Term[]; queued: Tensor | undefined } {
  const { config } = shape
  const d = config.projection
  const batch = batchOf(s)
  const images = towers.image ?? zeros(towerRows(s, 'image'), d)
  const texts = towers.text ?? zeros(towerRows(s, 'text'), d)
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
  const items = {
    image: block(images, s.image + s.product, batch + s.hard),
    text: block(texts, s.text + s.product, batch + s.hard),
  }
  const content = contentVector(p, { ...items, hasImage: itemHas.image, hasText: itemHas.text }, shape)
  const queued = momentum && momentumContent(momentum, shape, s, itemHas)
  const queue = s.queue > 0 ? [stopGradient(variable(queueVariable, [s.queue, contentWidth(shape)]))] : []

  const rows = (list: number[]) => constant(list, [list.length], 'int32')
  const products = numbers(s.image + s.text, s.product)
  const fused: Level = {
    name: 'fused',
    weight: weights.fused,
    anchors,
    anchorsPresent: ones(batch),
    rows: rows(numbers(0, batch)),
    candidates: join([content, ...queue]),
    candidatesPresent: ones(batch + s.hard + s.queue),
    aged: queued && { from: batch + s.hard, own: stopGradient(queued) },
  }
  const levels: Level[] = [
    fused,
    ...weights.matryoshka.map((width): Level => {
      const prefix = (x: Tensor) => l2Normalize(sliceAxis(x, 1, 0, width))
      const name = `fused_${width}`
      return {
        ...fused,
        name,
        weight: weights.prefix,
        anchors: prefix(anchors),
        candidates: prefix(fused.candidates),
        aged: fused.aged && { ...fused.aged, own: prefix(fused.aged.own) },
      }
    }),
    {
      name: 'image',
      weight: towers.image ? weights.image : 0,
      anchors: anchorImage.vectors,
      anchorsPresent: anchorImage.present,
      rows: rows([...numbers(0, s.image), ...products]),
      candidates: items.image,
      candidatesPresent: itemHas.image,
    },
    {
      name: 'text',
      weight: towers.text ? weights.text : 0,
      anchors: anchorText.vectors,
      anchorsPresent: anchorText.present,
      rows: rows([...numbers(s.image, s.text), ...products]),
      candidates: items.text,
      candidatesPresent: itemHas.text,
    },
  ]
  const used = levels.filter(({ weight, anchors }) => weight > 0 && anchors.shape[0] > 0)
  const bias = input('bias', [batch, batch + s.hard + s.queue])
  const pools: Pool[] = [
    { name: 'batch', from: 0, to: batch, corrected: true },
    { name: 'hard', from: batch, to: batch + s.hard, corrected: false },
    { name: 'queue', from: batch + s.hard, to: batch + s.hard + s.queue, corrected: true },
  ]
  // What people choose is far less certain than which title belongs to a picture: that the logits may be smaller
  // without the vectors huddling together, the choice has a temperature of its own.
  const choiceFactor = p.get(choiceScale, [], { fill: -Math.log(choice.initial) })
  const terms = multiLevelInfoNce(used, {
    scale: temperature(choiceFactor, 1 / choice.lowest),
    bias,
    rowWeights: input('row_weights', [batch]),
    pools: denominator === 'separate' ? pools : undefined,
  })
  if (towers.image && towers.text && weights.alignment > 0)
    terms.push(alignmentTerm(p, shape, batch, items, itemHas, weights.alignment))
  if (weights.distillation > 0) {
    const first = input('first_vectors', [batch, contentWidth(shape)])
    const loss = sub(1, mean(sum(mul(block(content, 0, batch), first), -1)))
    terms.push({ name: 'distillation', weight: weights.distillation, loss })
  }
  return { loss: weightedSum(terms), terms, queued }
}

/** Content vectors [batch, width] of a step's items by the encoder that fills the queue. */
function momentumContent(
  { p, towers: { image, text } }: { p: Parameters; towers: Towers },
  shape: EncoderShape,
  s: SftSizes,
  itemHas: Record<Modality, Tensor>,
): Tensor {
  const nothing = zeros(batchOf(s), shape.config.projection)
  const has = { hasImage: block(itemHas.image, 0, batchOf(s)), hasText: block(itemHas.text, 0, batchOf(s)) }
  return contentVector(p, { image: image ?? nothing, text: text ?? nothing, ...has }, shape)
}

/** Stage 1's own loss on the items of the step: picture and title of the same item. */
function alignmentTerm(
  p: Parameters,
  { config }: EncoderShape,
  batch: number,
  items: Record<Modality, Tensor>,
  itemHas: Record<Modality, Tensor>,
  weight: number,
): Term {
  const own = (x: Tensor, present: Tensor) => ({ x: block(x, 0, batch), present: block(present, 0, batch) })
  const level = (from: ReturnType<typeof own>, to: ReturnType<typeof own>): Level => ({
    name: 'alignment',
    weight: 0.5,
    anchors: from.x,
    anchorsPresent: from.present,
    rows: constant(numbers(0, batch), [batch], 'int32'),
    candidates: to.x,
    candidatesPresent: to.present,
  })
  const [image, text] = [own(items.image, itemHas.image), own(items.text, itemHas.text)]
  const terms = multiLevelInfoNce([level(image, text), level(text, image)], {
    scale: temperature(logitScale(p, config)),
    bias: sameGroupMask(input('item_group', [batch], 'int32')),
    rowWeights: ones(batch),
  })
  return { name: 'alignment', weight, loss: weightedSum(terms) }
}

/** The rows of `x`, pictures or titles of a step or anything made of them, that are the step's own items. */
export function itemRows(s: SftSizes, x: Tensor, modality: Modality): Tensor {
  return block(x, s[modality] + s.product, batchOf(s))
}
