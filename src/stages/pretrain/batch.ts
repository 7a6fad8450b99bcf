/** Batches of pretraining: augmented pictures and titles of items. */
import { Random } from '../../base/random.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import { type BatchCatalogue, openCatalogue, type SharedCatalogue } from '../../data/items/catalogue.js'
import { EpochOrder } from '../../data/tables/epochOrder.js'
import { joinRows } from '../../data/tables/matrix.js'
import type { Value } from '../../engine/index.js'
import type { Part } from '../../engine/session.js'
import { type ViewOptions, Views } from '../shared/views.js'
import type { Modalities } from './split.js'

/** Everything that determines the batches of a training. */
export interface PretrainBatches {
  catalogue: SharedCatalogue
  /** Items with equal titles have equal numbers, and so have items with equal pictures [items]. */
  titleGroups: Int32Array
  pictureGroups: Int32Array
  /** Training items, by item number. */
  train: Int32Array
  modalities: Modalities
  views: ViewOptions
  fusion: PretrainConfig['fusion']
  /** Items in a batch. */
  batch: number
  seed: number
}

/** Makes the batch of any step (from 0); called in a thread of `Prefetcher`. */
export function batches(shared: PretrainBatches): (step: number) => Promise<Part> {
  const { train, batch, seed } = shared
  const views = new ItemViews(shared.views, openCatalogue(shared.catalogue))
  const order = new EpochOrder(train, batch, seed)
  return async (step) => {
    const rows = order.at(step)
    return { inputs: await stepInputs(shared, views, rows, Random.of(seed, 'views', step)), rows: rows.length }
  }
}

async function stepInputs(
  { titleGroups, pictureGroups, modalities, fusion }: PretrainBatches,
  views: ItemViews,
  rows: Int32Array,
  random: Random,
): Promise<Record<string, Value>> {
  const group = (groups: Int32Array): Value => ({ data: rows.map((row) => groups[row]), shape: [rows.length] }) // [B]
  const groups = { title_group: group(titleGroups), picture_group: group(pictureGroups) }
  // Two views of each item in the only modality: all first views, then all second views.
  const twice = joinRows([rows, rows])
  if (modalities === 'image') return { pixel_values: await views.pictures(twice, random), ...groups }
  if (modalities === 'text') return { input_ids: views.titles(twice, random), ...groups }
  const kept = secondViews(rows.length, fusion, random)
  const flags = (data: Float32Array) => ({ data, shape: [rows.length] })
  return {
    pixel_values: await views.pictures(rows, random), // [B, 3, size, size]
    input_ids: views.titles(rows, random), // [B, length]
    ...groups,
    keep_image: flags(kept.image), // [B]
    keep_text: flags(kept.text), // [B]
  }
}

/** Augmented pictures and titles of items, as inputs of the towers. */
export class ItemViews {
  private readonly views: Views

  constructor(
    private readonly options: ViewOptions,
    private readonly catalogue: BatchCatalogue,
  ) {
    this.views = new Views(options)
  }

  /** [rows, 3, size, size]. */
  async pictures(rows: Int32Array, random: Random): Promise<Value> {
    const { pictures } = this.catalogue
    const data = await this.views.pixels(pictures, rows, random)
    return { data, shape: [rows.length, 3, pictures.size, pictures.size] }
  }

  /** [rows, length]. */
  titles(rows: Int32Array, random: Random): Value {
    return { data: this.views.titles(this.catalogue, rows, random), shape: [rows.length, this.options.length] }
  }
}

/** Modality dropout in the second view: flags [rows] of picture and title, 1 or 0; at least one of the two is 1. */
function secondViews(rows: number, fusion: PretrainBatches['fusion'], random: Random) {
  const image = new Float32Array(rows).fill(1)
  const text = new Float32Array(rows).fill(1)
  for (let i = 0; i < rows; i++) {
    const u = random.uniform()
    if (u < fusion.dropText) text[i] = 0
    else if (u < fusion.dropText + fusion.dropImage) image[i] = 0
  }
  return { image, text }
}
