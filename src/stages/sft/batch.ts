/** Makes the inputs of a C-SFT step: queries, targets, hard negatives, and the mask of negatives. */
import { Random } from '../../base/random.js'
import type { SftConfig } from '../../config/sft.js'
import { mergeGroups } from '../../data/choices/duplicates.js'
import type { ItemLists } from '../../data/choices/itemLists.js'
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
import { towerInput } from '../../models/encoder.js'
import { type RowLayout, rowLayout } from '../../models/sft/layout.js'
import { type ViewOptions, Views } from '../shared/views.js'
import type { SftData } from './load.js'
import type { SftPlan } from './plan.js'
import { QueuePlaces } from './queue.js'

/** Everything that batches are made from: plain data; threads share its arrays without a copy. */
export interface SftShared {
  plan: SftPlan
  positives: TrainingPairs
  catalogue: SharedCatalogue
  category: Int32Array
  /** Equal numbers for items that are not negatives of each other: those of equal title or picture [items]. */
  duplicates: Int32Array
  /** Content vectors of all items by the model of stage 1 [items, width]. */
  first: Float32Array
  queries: { pictures: PreparedPictures; tokens: Int32Array }
  views: ViewOptions
  config: SftConfig
  /** Nearest neighbors of items by the vectors in training; absent until they are mined. */
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
    duplicates: mergeGroups([equalTitles(titles), catalogue.pictures.groups()]),
    first: first.content,
    queries: { pictures: queries.pictures.prepared, tokens: queries.tokens },
    views,
    config,
  }
  return shareArrays(shared)
}

/** Makes the inputs of any step (from 0); a thread of `Prefetcher` calls it. */
export function batches(shared: SftShared): (step: number) => Promise<Record<string, Value>> {
  const open = new SftBatches(shared)
  return (step) => open.inputsOf(step)
}

/** The rows of a step. */
interface StepRows {
  /** Positive pairs, by kind of query [batch]. */
  pairs: Int32Array
  /** Numbers of their queries [batch]; their meaning depends on the kind. */
  queries: Int32Array
  /** Items [batch]. */
  targets: Int32Array
  /** Items, −1 where there is no hard negative [hard]. */
  hard: Int32Array
  /** Items that are queries [product]. */
  products: Int32Array
  /** Items whose pictures and titles are read: targets and hard negatives, item 0 in place of −1 [batch + hard]. */
  shown: Int32Array
}

/** The batches of a training. Each depends only on the seed and its step. */
class SftBatches {
  private readonly layout: RowLayout
  private readonly orders: Partial<Record<QueryKind, EpochOrder>>
  private readonly negatives: Negatives
  private readonly views: Views
  private readonly catalogue: BatchCatalogue
  private readonly queryPictures: Pictures
  private readonly queue: QueuePlaces

  constructor(private readonly shared: SftShared) {
    const { positives, category, duplicates, plan, config } = shared
    const { sizes, byKind } = plan
    this.layout = rowLayout(sizes)
    this.orders = Object.fromEntries(
      queryKinds.flatMap((kind, k) =>
        sizes[kind] > 0 ? [[kind, new EpochOrder(byKind[k], sizes[kind], config.seed)]] : [],
      ),
    )
    this.negatives = new Negatives(positives, category, duplicates, shared.mined)
    this.views = new Views(shared.views)
    this.catalogue = openCatalogue(shared.catalogue)
    this.queryPictures = new Pictures(shared.queries.pictures)
    this.queue = new QueuePlaces(sizes.queue, this.layout.batch, (step) => this.pairsOf(step))
  }

  /** The inputs of step `step` (from 0). */
  async inputsOf(step: number): Promise<Record<string, Value>> {
    const random = Random.of(this.shared.config.seed, 'batch', step)
    const rows = this.rowsOf(step, random)
    return {
      ...(await this.pictures(rows, random)),
      ...this.texts(rows, random),
      ...this.presence(rows),
      ...this.lossInputs(step, rows),
    }
  }

  /** The pairs of a step [batch], by kind of query. */
  private pairsOf(step: number): Int32Array {
    return joinRows(queryKinds.map((kind) => this.orders[kind]?.at(step) ?? new Int32Array()))
  }

  private rowsOf(step: number, random: Random): StepRows {
    const { positives, plan } = this.shared
    const pairs = this.pairsOf(step)
    const queries = pairs.map((i) => positives.query[i])
    const targets = pairs.map((i) => positives.target[i])
    const hard = Int32Array.from({ length: plan.sizes.hard }, () =>
      this.negatives.hard(pairs[random.int(pairs.length)], random),
    )
    const { from, to } = this.layout.pairs.product
    const shown = Int32Array.from([...targets, ...hard.map((item) => Math.max(item, 0))])
    return { pairs, queries, targets, hard, products: queries.subarray(from, to), shown }
  }

  /** Pixels of the rows of the image tower. */
  private async pictures({ queries, products, shown }: StepRows, random: Random): Promise<Record<string, Value>> {
    if (!this.shared.plan.sizes.towers.includes('image')) return {}
    const { views, catalogue, layout } = this
    const { from, to } = layout.pairs.image
    const { size } = catalogue.pictures
    const searches = await views.pixels(this.queryPictures, queries.subarray(from, to), random)
    const items = await views.pixels(catalogue.pictures, joinRows([products, shown]), random)
    const shape = [layout.tower.image.count, 3, size, size]
    return { [towerInput.image]: { data: joinRows([searches, items]), shape } }
  }

  /** Token ids of the rows of the text tower. */
  private texts({ queries, products, shown }: StepRows, random: Random): Record<string, Value> {
    const { plan, views: options, queries: searches } = this.shared
    if (!plan.sizes.towers.includes('text')) return {}
    const { from, to } = this.layout.pairs.text
    const ids = takeRows(searches.tokens, options.length, queries.subarray(from, to))
    const titles = this.views.titles(this.catalogue, joinRows([products, shown]), random)
    const shape = [this.layout.tower.text.count, options.length]
    return { [towerInput.text]: { data: joinRows([ids, titles]), shape } }
  }

  /** Which items have a picture and a title: 1 or 0. */
  private presence({ products, shown }: StepRows): Record<string, Value> {
    const { hasImage, hasText } = this.catalogue
    const flags = (items: Int32Array, has: Uint8Array): Value => ({
      data: Float32Array.from(items, (item) => has[item]),
      shape: [items.length],
    })
    return {
      product_has_image: flags(products, hasImage),
      product_has_text: flags(products, hasText),
      item_has_image: flags(shown, hasImage),
      item_has_text: flags(shown, hasText),
    }
  }

  private lossInputs(step: number, { pairs, targets, hard }: StepRows): Record<string, Value> {
    const { positives, duplicates, first, config } = this.shared
    const { batch, columns } = this.layout
    const { logQ, maxAgeDays } = config.negatives
    const candidates = this.candidates(step, targets, hard)
    const corrected = (column: number) => column < columns.targets.to || column >= columns.queue.from
    const width = first.length / duplicates.length
    return {
      bias: {
        data: this.negatives.bias(pairs, candidates, { logQ, corrected, maxAgeDays }),
        shape: [batch, columns.count],
      },
      row_weights: { data: Float32Array.from(pairs, (i) => positives.weight[i]), shape: [batch] },
      item_group: { data: targets.map((item) => duplicates[item]), shape: [batch] },
      first_vectors: { data: takeRows(first, width, targets), shape: [batch, width] },
      queue_places: { data: this.queue.placesOf(step), shape: [batch] },
    }
  }

  /** The columns of a step's logits. Queue places older than `negatives.maxAgeSteps` count as empty. */
  private candidates(step: number, targets: Int32Array, hard: Int32Array): Candidates {
    const { positives, config } = this.shared
    const { from } = this.layout.columns.queue
    const pairs = this.queue.youngAt(step, config.negatives.maxAgeSteps)
    const queued = pairs.map((pair) => (pair < 0 ? -1 : positives.target[pair]))
    return {
      items: joinRows([targets, hard, queued]),
      pairs: joinRows([new Int32Array(from).fill(-1), pairs]),
      queuedFrom: from,
    }
  }
}
