/** The vectors of a C-SFT step: of its queries, of its items, and of the queue. */
import type { Parameters } from '../../nn/parameters.js'
import { constant, input, stopGradient, type Tensor, variable } from '../../ops/index.js'
import { contentVector, contentWidth, type EncoderShape, type Modality } from '../encoder.js'
import { join, type RowLayout, rowLayout, type SftSizes, take } from './layout.js'

/** Variable of the queue, [queue, content width]: content vectors of the targets of earlier steps. */
export const queueVariable = 'queue'

/** Unit vectors of a tower's rows by modality [rows, projection]; absent where the tower does not run. */
export type Towers = Partial<Record<Modality, Tensor>>

/** The encoder that fills the queue, and its tower vectors of the step's targets [batch, projection]. */
export interface MomentumEncoder {
  p: Parameters
  towers: Towers
}

/** Vectors of one modality; `present` is 1 where a row has the modality, else 0. */
export interface Side {
  vectors: Tensor
  present: Tensor
}

export interface StepVectors {
  layout: RowLayout
  /** Queries; those of a modality are the rows `queries` of its tower. `content` [batch, width]. */
  queries: Record<Modality, Side> & { content: Tensor }
  /** Targets, then hard negatives. `content` [batch + hard, width]. */
  items: Record<Modality, Side> & { content: Tensor }
  /** [queue, width]; none without a queue. */
  queue: Tensor[]
  /** Content vectors of the targets by the momentum encoder [batch, width]; absent without a queue. */
  queued?: Tensor
}

export const ones = (count: number) => constant(1, [count])
const zeros = (rows: number, width: number) => constant(0, [rows, width])

/**
 * Vectors of the step by `towers`, each [rows of the tower, projection]. Inputs: `product_has_image`,
 * `product_has_text` [product] and `item_has_image`, `item_has_text` [batch + hard], 1 or 0.
 */
export function stepVectors(
  p: Parameters,
  shape: EncoderShape,
  s: SftSizes,
  towers: Towers,
  momentum: MomentumEncoder | undefined,
): StepVectors {
  const layout = rowLayout(s)
  const d = shape.config.projection
  const images = towers.image ?? zeros(layout.tower.image.count, d) // [image + product + batch + hard, d]
  const texts = towers.text ?? zeros(layout.tower.text.count, d) // [text + product + batch + hard, d]
  const product = { image: input('product_has_image', [s.product]), text: input('product_has_text', [s.product]) }
  const { image, text } = layout.tower
  const content = contentVector(
    p,
    {
      image: join([take(images, image.searches), zeros(s.text, d), take(images, image.products)]), // [batch, d]
      text: join([zeros(s.image, d), take(texts, text.searches), take(texts, text.products)]), // [batch, d]
      hasImage: join([ones(s.image), constant(0, [s.text]), product.image]), // [batch]
      hasText: join([constant(0, [s.image]), ones(s.text), product.text]), // [batch]
    },
    shape,
  )
  const queries = {
    image: { vectors: take(images, image.queries), present: join([ones(s.image), product.image]) }, // [image + product, d]
    text: { vectors: take(texts, text.queries), present: join([ones(s.text), product.text]) }, // [text + product, d]
    content, // [batch, width]
  }
  const items = itemVectors(p, shape, { image: take(images, image.items), text: take(texts, text.items) })
  const width = contentWidth(shape)
  return {
    layout,
    queries,
    items,
    queue: s.queue > 0 ? [stopGradient(variable(queueVariable, [s.queue, width]))] : [],
    queued: momentum && momentumContent(momentum, shape, layout, items),
  }
}

function itemVectors(p: Parameters, shape: EncoderShape, { image, text }: Record<Modality, Tensor>) {
  const rows = image.shape[0] // batch + hard
  const has = { image: input('item_has_image', [rows]), text: input('item_has_text', [rows]) }
  return {
    image: { vectors: image, present: has.image },
    text: { vectors: text, present: has.text },
    content: contentVector(p, { image, text, hasImage: has.image, hasText: has.text }, shape), // [batch + hard, width]
  }
}

/** Content vectors of the targets [batch, width] by the momentum encoder. */
function momentumContent(
  { p, towers: { image, text } }: MomentumEncoder,
  shape: EncoderShape,
  { batch, columns: { targets } }: RowLayout,
  items: StepVectors['items'],
): Tensor {
  const missing = zeros(batch, shape.config.projection)
  const has = { hasImage: take(items.image.present, targets), hasText: take(items.text.present, targets) }
  return contentVector(p, { image: image ?? missing, text: text ?? missing, ...has }, shape)
}
