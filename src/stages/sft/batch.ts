/** What a C-SFT step is fed: anchors, chosen items, hard negatives, and what counts as a negative of which. */
import { UserError } from '../../base/errors.js'
import { Random } from '../../base/random.js'
import type { SftConfig } from '../../config/sft.js'
import type { ItemLists } from '../../data/choices/itemLists.js'
import { parts } from '../../data/choices/log.js'
import { type Candidates, Negatives, type TrainingPairs } from '../../data/choices/negatives.js'
import { type QueryKind, queryKinds } from '../../data/choices/sources/source.js'
import {
  type BatchCatalogue,
  equalTitles,
  openCatalogue,
  type SharedCatalogue,
  shareCatalogue,
} from '../../data/items/catalogue.js'
import { Pictures, type PreparedPictures } from '../../data/pictures/pictures.js'
import { EpochOrder } from '../../data/tables/epochOrder.js'
import { joinRows, takeRows } from '../../data/tables/matrix.js'
import { shareArrays } from '../../data/tables/sharedMemory.js'
import type { Value } from '../../engine/index.js'
import { modalities, towerInput } from '../../models/encoder.js'
import { batchOf, type SftSizes, towerRows } from '../../models/sft.js'
import { type ViewOptions, Views } from '../shared/views.js'
import type { SftData } from './load.js'
import { QueuePlaces } from './queue.js'

/** Anchors and what they are drawn to. */
type Asked = Pick<SftData, 'positives' | 'catalogue' | 'queries'>

/** How the pairs of the training part go into steps. */
export interface SftPlan {
  sizes: SftSizes
  stepsPerEpoch: number
  /** Pairs by kind of anchor. */
  byKind: Int32Array[]
}

export function planBatches({ positives, catalogue, queries }: Asked, config: SftConfig): SftPlan {
  const byKind = queryKinds.map((_, k) =>
    Int32Array.from({ length: positives.count }, (_, i) => i).filter(
      (i) => positives.kind[i] === k && positives.part[i] === parts.train,
    ),
  )
  const counts = byKind.map((rows) => rows.length)
  const has = {
    image: catalogue.hasImage.includes(1) || queries.pictures.present.includes(1),
    text: catalogue.hasText.includes(1) || positives.queryTexts.length > 0,
  }
  const towers = modalities.filter((modality) => has[modality])
  const { levels } = config
  if (levels.fused === 0 && towers.every((tower) => levels[tower] === 0)) {
    throw new UserError({
      id: 'levels-none',
      what: `levels.fused is 0, and so is that of all that items and queries have (${towers.join(', ') || 'nothing'})`,
      remedy: 'raise levels.fused',
    })
  }
  const sizes = { ...stepSizes(counts, config), towers }
  const pairs = counts.reduce((a, b) => a + b, 0)
  return { sizes, stepsPerEpoch: Math.max(1, Math.round(pairs / batchOf(sizes))), byKind }
}

/** What the batches of a training follow from: plain data, whose arrays other threads get without a copy. */
export interface SftShared {
  plan: SftPlan
  positives: TrainingPairs
  catalogue: SharedCatalogue
  category: Int32Array
  /** Equal numbers for items that are no negatives of each other: those of equal title or picture [items]. */
  alike: Int32Array
  /** What stage 1 makes of all items, [items, width]. */
  first: Float32Array
  queries: { pictures: PreparedPictures; tokens: Int32Array }
  views: ViewOptions
  config: SftConfig
  /** Neighbors of items by the vectors of training; absent until they are mined. */
  mined?: ItemLists
}

export function shareSft(
  { positives, catalogue, queries, first }: SftData,
  plan: SftPlan,
  views: ViewOptions,
  config: SftConfig,
) {
  const { queryImages: _images, queryTexts: _texts, ...pairs } = shareArrays(positives)
  const { category, titles } = catalogue.items
  const shared: SftShared = {
    plan,
    positives: pairs,
    catalogue: shareCatalogue(catalogue),
    category,
    alike: alikeItems([equalTitles(titles), catalogue.pictures.groups()]),
    first: first.content,
    queries: { pictures: queries.pictures.prepared, tokens: queries.tokens },
    views,
    config,
  }
  return shareArrays(shared)
}

/** Makes the inputs of any step (from 0); a thread of `Prefetcher` calls it. */
export function batches(shared: SftShared): (step: number) => Promise<Record<string, Value>> {
  const made = new SftBatches(shared)
  return (step) => made.at(step)
}

/** The batches of a training; each depends on the seed and its number alone. */
class SftBatches {
  private readonly orders: Partial<Record<QueryKind, EpochOrder>>
  private readonly negatives: Negatives
  private readonly views: Views
  private readonly catalogue: BatchCatalogue
  private readonly queryPictures: Pictures
  private readonly queue: QueuePlaces

  constructor(private readonly shared: SftShared) {
    const { positives, category, alike, plan, config } = shared
    const { sizes, byKind } = plan
    this.orders = Object.fromEntries(
      queryKinds.flatMap((kind, k) =>
        sizes[kind] > 0 ? [[kind, new EpochOrder(byKind[k], sizes[kind], config.seed)]] : [],
      ),
    )
    this.negatives = new Negatives(positives, category, alike, shared.mined)
    this.views = new Views(shared.views)
    this.catalogue = openCatalogue(shared.catalogue)
    this.queryPictures = new Pictures(shared.queries.pictures)
    this.queue = new QueuePlaces(sizes.queue, batchOf(sizes), (step) => this.pairsOf(step))
  }

  /** The pairs of a step [batch], by kind of anchor. */
  private pairsOf(step: number): Int32Array {
    return joinRows(queryKinds.map((kind) => this.orders[kind]?.at(step) ?? new Int32Array()))
  }

  /** What the rows of a step are held against: its own items, hard ones, and the queue; too old a place counts as empty. */
  private candidates(step: number, items: Int32Array, hard: Int32Array): Candidates {
    const { positives, config } = this.shared
    const pairs = this.queue.youngAt(step, config.negatives.maxAgeSteps)
    const queued = pairs.map((pair) => (pair < 0 ? -1 : positives.target[pair]))
    const before = new Int32Array(items.length + hard.length).fill(-1)
    return {
      items: joinRows([items, hard, queued]),
      pairs: joinRows([before, pairs]),
      queuedFrom: before.length,
    }
  }

  /** The inputs of step `step` (from 0). */
  async at(step: number): Promise<Record<string, Value>> {
    const { catalogue, negatives, views, queue } = this
    const { positives, alike, first, plan, config } = this.shared
    const { sizes } = plan
    const rows = this.pairsOf(step)
    const items = rows.map((i) => positives.target[i])
    const anchorsOf = (from: number, count: number) => rows.subarray(from, from + count).map((i) => positives.query[i])
    const products = anchorsOf(sizes.image + sizes.text, sizes.product)
    const random = Random.of(config.seed, 'batch', step)
    const hard = Int32Array.from({ length: sizes.hard }, () => negatives.hard(rows[random.int(rows.length)], random))
    // A place without a hard negative shows item 0 and is masked.
    const shown = Int32Array.from([...items, ...hard.map((item) => Math.max(item, 0))])
    const all = Int32Array.from([...products, ...shown])
    const fed: Record<string, Value> = {}
    if (sizes.towers.includes('image')) {
      const asked = await views.pixels(this.queryPictures, anchorsOf(0, sizes.image), random)
      const { size } = catalogue.pictures
      const data = joinRows([asked, await views.pixels(catalogue.pictures, all, random)])
      fed[towerInput.image] = { data, shape: [towerRows(sizes, 'image'), 3, size, size] }
    }
    if (sizes.towers.includes('text')) {
      const { length } = this.shared.views
      const asked = takeRows(this.shared.queries.tokens, length, anchorsOf(sizes.image, sizes.text))
      const data = joinRows([asked, views.titles(catalogue, all, random)])
      fed[towerInput.text] = { data, shape: [towerRows(sizes, 'text'), length] }
    }
    const flags = (of: Int32Array, has: Uint8Array): Value => ({
      data: Float32Array.from(of, (i) => has[i]),
      shape: [of.length],
    })
    const batch = rows.length
    const { logQ, maxAgeDays } = config.negatives
    const candidates = this.candidates(step, items, hard)
    const corrected = (column: number) => column < batch || column >= candidates.queuedFrom
    const width = first.length / alike.length
    return {
      ...fed,
      product_has_image: flags(products, catalogue.hasImage),
      product_has_text: flags(products, catalogue.hasText),
      item_has_image: flags(shown, catalogue.hasImage),
      item_has_text: flags(shown, catalogue.hasText),
      bias: {
        data: negatives.bias(rows, candidates, { logQ, corrected, maxAgeDays }),
        shape: [batch, candidates.items.length],
      },
      row_weights: { data: Float32Array.from(rows, (i) => positives.weight[i]), shape: [batch] },
      item_group: { data: items.map((item) => alike[item]), shape: [batch] },
      first_vectors: { data: takeRows(first, width, items), shape: [batch, width] },
      queue_places: { data: queue.placesOf(step), shape: [batch] },
    }
  }
}

/** How a batch is shared among the kinds of anchors that the data has. */
function stepSizes(available: number[], { positives, negatives, train }: SftConfig): Omit<SftSizes, 'towers'> {
  const shares = queryKinds.map((kind, k) => (available[k] > 0 ? positives.mixture[kind] : 0))
  const total = shares.reduce((a, b) => a + b, 0)
  if (total === 0) {
    throw new UserError({
      id: 'positives-none',
      what: 'no training pair has a kind of anchor with a share in positives.mixture',
      remedy: 'raise the share of a kind that the data has, or move split.train',
    })
  }
  const counts = shares.map((share, k) => Math.min(available[k], Math.round((train.batch * share) / total)))
  const [image, text, product] = counts
  const batch = image + text + product
  // The queue turns over in whole batches.
  const queue = negatives.queue < batch ? 0 : Math.floor(negatives.queue / batch) * batch
  return { image, text, product, hard: negatives.hard, queue }
}

/** One number for items that any of `groups` holds to be equal, directly or by way of others [items]. */
export function alikeItems(groups: readonly Int32Array[]): Int32Array {
  const first = Int32Array.from(groups[0].keys())
  const root = (item: number): number => {
    while (first[item] !== item) item = first[item] = first[first[item]]
    return item
  }
  for (const group of groups) {
    const member = new Map<number, number>()
    for (const [item, number] of group.entries()) {
      const other = member.get(number)
      if (other === undefined) member.set(number, item)
      else first[Math.max(root(item), root(other))] = Math.min(root(item), root(other))
    }
  }
  return first.map((_, item) => root(item))
}
