/** What C-SFT trains: the encoder against pools of negatives, with a momentum encoder that fills a queue. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isOurs, type ModelFolder, type Weights, writeModelFolder } from '../checkpoint/model.js'
import type { SftConfig } from '../config/sft.js'
import { equalTitles, joinRows, takeRows } from '../data/catalogue.js'
import { Negatives } from '../data/negatives.js'
import { EpochOrder } from '../data/order.js'
import { type AnchorKind, anchorKinds } from '../data/positives.js'
import type { Engine, Session, Value, VariableSpec } from '../engine/index.js'
import { initialValues, loadVariables, saveVariables } from '../engine/state.js'
import { makeTraining, type Training } from '../engine/training.js'
import { UserError } from '../errors.js'
import { meanPairwiseCosine, ranksOfTargets, recallAtK } from '../metrics/index.js'
import { contentWidth, type EncoderShape, encoderPrograms } from '../models/encoder.js'
import { encoderGroups } from '../models/groups.js'
import { batchOf, choiceScale, queuedVectors, queueVariable, type SftSizes, sftLoss } from '../models/sft.js'
import { Parameters } from '../nn/parameters.js'
import { assignRows, constant, follow, input, type Shape, type Tensor } from '../ops/index.js'
import { program } from '../ops/program.js'
import { Random } from '../random.js'
import type { StepResult, Trainee } from '../train/loop.js'
import { rateAt } from '../train/schedule.js'
import { encodeItems, Views } from './encoder.js'
import type { SftData } from './sft.js'

/** Factor on the learning rate of the temperature, which has a long way to go in few steps. */
const choiceRate = 50
const momentumPrefix = 'momentum.'
const parts = { train: 0, valid: 1, test: 2 } as const

/** Queries of one kind with their answers, by row; `queries` and `content` are unit vectors of one width. */
export interface Judged {
  kind: AnchorKind
  anchors: Int32Array
  targets: Int32Array
  /** Place of the chosen item, from 0. */
  ranks: Float64Array
  queries: Float32Array
  /** Of all items. */
  content: Float32Array
}

export class SftTrainee implements Trainee {
  readonly stepsPerEpoch: number
  private readonly sizes: SftSizes
  private readonly orders: Partial<Record<AnchorKind, EpochOrder>>
  private readonly negatives: Negatives
  private readonly titleGroup: Int32Array
  private readonly views: Views
  private readonly session: Session
  private readonly training: Training
  private readonly parameters: ReturnType<Parameters['list']>
  private readonly state: VariableSpec[]
  /** Item of each place in the queue, −1 where it is empty. */
  private queued: Int32Array
  private steps = 0

  constructor(
    engine: Engine,
    private readonly data: SftData,
    private readonly model: ModelFolder,
    private readonly shape: EncoderShape,
    private readonly config: SftConfig,
    weights: Weights,
  ) {
    const { positives, catalogue } = data
    const byKind = anchorKinds.map((_, k) =>
      Int32Array.from({ length: positives.count }, (_, i) => i).filter(
        (i) => positives.kind[i] === k && positives.part[i] === parts.train,
      ),
    )
    this.sizes = stepSizes(
      byKind.map((rows) => rows.length),
      config,
    )
    const batch = batchOf(this.sizes)
    this.orders = Object.fromEntries(
      anchorKinds.flatMap((kind, k) =>
        this.sizes[kind] > 0 ? [[kind, new EpochOrder(byKind[k], this.sizes[kind], config.seed)]] : [],
      ),
    )
    this.stepsPerEpoch = Math.max(1, Math.round(byKind.reduce((n, rows) => n + rows.length, 0) / batch))
    this.titleGroup = equalTitles(catalogue.items.titles)
    this.negatives = new Negatives(positives, catalogue.items.category, this.titleGroup)
    this.queued = new Int32Array(this.sizes.queue).fill(-1)

    this.views = new Views(model.preprocessing, data.text, shape.length, config.augment)
    const p = new Parameters()
    const loss = sftLoss(p, shape, this.sizes, config.levels)
    this.parameters = p.list()
    const momentum = this.sizes.queue > 0 ? this.momentumEffects(loss) : { effects: [], variables: [] }
    const groups = encoderGroups(
      this.parameters.map(({ name }) => name),
      config.train,
    )
    const group = (name: string, shape: Shape) =>
      name === choiceScale ? { rateFactor: choiceRate, weightDecay: 0 } : groups(name, shape)
    this.training = makeTraining(loss, p, [], { ...config.train, group }, momentum.effects)
    const { programs, evaluated } = this.training
    this.state = [...this.training.state, ...momentum.variables]
    this.session = engine.open({ ...programs, ...encoderPrograms(evaluated, shape) }, this.state)
    this.initialise(weights)
  }

  plan(steps: number): this {
    this.steps = steps
    return this
  }

  async step(step: number): Promise<StepResult> {
    const { config, sizes } = this
    const waiting = performance.now()
    const batch = this.batch(step)
    const waited = performance.now() - waiting
    const learningRate = rateAt(config.train, step, this.steps)
    const part = { inputs: batch.inputs, rows: batch.items.length }
    const loss = this.training.step(this.session, [part], step, learningRate)
    if (sizes.queue > 0) {
      for (const [i, place] of batch.places.entries()) this.queued[place] = batch.items[i]
    }
    return { loss, samples: batch.items.length, waited, learningRate }
  }

  async evaluate(): Promise<Record<string, number>> {
    const metrics = this.judge('valid')
    return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`valid_${name}`, value]))
  }

  /** Recall of the chosen item among all items, given what the user asked with, for the events of one part. `look` sees them. */
  judge(part: keyof typeof parts, look: (judged: Judged) => void = () => {}): Record<string, number> {
    const { positives, catalogue, anchors } = this.data
    const width = contentWidth(this.shape)
    const all = Int32Array.from({ length: catalogue.items.count }, (_, i) => i)
    const { content } = encodeItems(this.session, catalogue, all, this.shape, this.model.preprocessing)
    const events = Int32Array.from({ length: positives.count }, (_, i) => i).filter(
      (i) => positives.part[i] === parts[part],
    )
    const chosen = Random.of('judge', part).shuffle(events).slice(0, this.config.evaluation.queries)
    const seen = new Set<number>()
    for (let i = 0; i < positives.count; i++) if (positives.part[i] === parts.train) seen.add(positives.item[i])

    const ranks = new Float64Array(chosen.length)
    anchorKinds.forEach((kind, k) => {
      const rows = Int32Array.from(chosen.keys()).filter((i) => positives.kind[chosen[i]] === k)
      if (rows.length === 0) return
      const asked = rows.map((i) => positives.anchor[chosen[i]])
      const distinct = Int32Array.from(new Set(asked))
      const place = new Map(Array.from(distinct, (anchor, i) => [anchor, i]))
      const vectors =
        kind === 'product' ? takeRows(content, width, distinct) : this.encodeQueries(kind, distinct, anchors)
      const queries = takeRows(
        vectors,
        width,
        asked.map((anchor) => place.get(anchor)!),
      )
      const targets = rows.map((i) => positives.item[chosen[i]])
      // A product is not an answer to itself.
      const exclude = kind === 'product' ? (query: number) => Int32Array.of(asked[query]) : undefined
      const found = ranksOfTargets(queries, content, width, targets, { exclude })
      for (const [j, i] of rows.entries()) ranks[i] = found[j]
      look({ kind, anchors: asked, targets, ranks: found, queries, content })
    })
    const recall = (keep: (event: number) => boolean) =>
      recallAtK(
        ranks.filter((_, i) => keep(chosen[i])),
        [1, 10, 50],
      )
    const [at1, at10, at50] = recall(() => true)
    const metrics: Record<string, number> = { recall_1: at1, recall_10: at10, recall_50: at50 }
    anchorKinds.forEach((kind, k) => {
      if (chosen.some((i) => positives.kind[i] === k))
        metrics[`recall_10_${kind}`] = recall((i) => positives.kind[i] === k)[1]
    })
    if (chosen.some((i) => !seen.has(positives.item[i])))
      metrics['recall_10_unseen'] = recall((i) => !seen.has(positives.item[i]))[1]
    metrics['mean_cosine'] = meanPairwiseCosine(content, width)
    return metrics
  }

  saveState(folder: string): void {
    saveVariables(this.session, this.state, join(folder, 'state.safetensors'))
    writeFileSync(join(folder, 'queue.json'), JSON.stringify(Array.from(this.queued)))
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.state, join(folder, 'state.safetensors'))
    this.queued = Int32Array.from(JSON.parse(readFileSync(join(folder, 'queue.json'), 'utf8')) as number[])
  }

  saveModel(folder: string): void {
    const { evaluated } = this.training
    writeModelFolder(folder, this.model, this.parameters, (name) => this.session.read(evaluated.prefix + name))
  }

  loadModel(weights: Weights): void {
    const { prefix } = this.training.evaluated
    for (const parameter of this.parameters) this.session.write(prefix + parameter.name, weights.read(parameter)!)
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  close(): void {
    this.session.dispose()
    this.data.catalogue.pictures.close()
    this.data.anchors.pictures.close()
  }

  /** The momentum encoder follows the parameters and writes the step's items into the queue. */
  private momentumEffects(loss: Tensor): { effects: Tensor[]; variables: VariableSpec[] } {
    const { momentum } = this.config.negatives
    const { sizes, shape } = this
    const follower = new Parameters(momentumPrefix)
    const vectors = queuedVectors(follower, shape, sizes, program({ loss }).inputs)
    const places = input('queue_places', [batchOf(sizes)], 'int32')
    const follows = follower
      .list()
      .map(({ name }) => follow(name, name.slice(momentumPrefix.length), constant(momentum, [])))
    const variables = follower.list().map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32' }))
    const queue: VariableSpec = { name: queueVariable, shape: [sizes.queue, contentWidth(shape)], dtype: 'float32' }
    return { effects: [assignRows(queueVariable, places, vectors), ...follows], variables: [...variables, queue] }
  }

  private initialise(weights: Weights): void {
    for (const parameter of this.parameters) {
      const values = weights.read(parameter)
      if (!values && !isOurs(parameter.name)) {
        throw new UserError({
          id: 'tensor-missing',
          where: this.model.path,
          what: `tensor '${parameter.name}' is missing`,
        })
      }
      const first = values ?? initialValues(parameter, this.config.seed)
      this.training.start(this.session, parameter.name, first)
      if (this.state.some(({ name }) => name === momentumPrefix + parameter.name)) {
        this.session.write(momentumPrefix + parameter.name, first)
      }
    }
  }

  /** The inputs of a step, the items it teaches, and the places of the queue that they go to. */
  private batch(step: number) {
    const { data, sizes, config, orders, negatives, views } = this
    const { positives, catalogue, anchors } = data
    const pairs = anchorKinds.map((kind) => orders[kind]?.at(step) ?? new Int32Array())
    const rows = Int32Array.from(pairs.flatMap((p) => Array.from(p)))
    const items = rows.map((i) => positives.item[i])
    const anchorsOf = (kind: AnchorKind) => pairs[anchorKinds.indexOf(kind)].map((i) => positives.anchor[i])
    const products = anchorsOf('product')
    const random = Random.of(config.seed, 'batch', step)
    const hard = Int32Array.from({ length: sizes.hard }, () => negatives.hard(rows[random.int(rows.length)], random))
    // A place without a hard negative shows item 0 and is masked.
    const shown = Int32Array.from([...items, ...hard.map((item) => Math.max(item, 0))])
    const inPictures = Int32Array.from([...products, ...shown])
    const pictures = [
      views.pixels(anchors.pictures, anchorsOf('image'), random),
      views.pixels(catalogue.pictures, inPictures, random),
    ]
    const length = this.shape.length
    const texts = [takeRows(anchors.tokens, length, anchorsOf('text')), views.titles(catalogue, inPictures, random)]
    const size = this.shape.config.vision.imageSize
    const flags = (of: Int32Array, has: Uint8Array): Value => ({
      data: Float32Array.from(of, (i) => has[i]),
      shape: [of.length],
    })
    const batch = rows.length
    const places = Int32Array.from({ length: batch }, (_, i) =>
      sizes.queue > 0 ? (step * batch + i) % sizes.queue : 0,
    )
    const candidates = Int32Array.from([...items, ...hard, ...this.queued])
    const corrected = (column: number) => column < batch || column >= batch + sizes.hard
    const inputs: Record<string, Value> = {
      pixel_values: { data: joinRows(pictures), shape: [sizes.image + inPictures.length, 3, size, size] },
      input_ids: { data: joinRows(texts), shape: [sizes.text + inPictures.length, length] },
      product_has_image: flags(products, catalogue.hasImage),
      product_has_text: flags(products, catalogue.hasText),
      item_has_image: flags(shown, catalogue.hasImage),
      item_has_text: flags(shown, catalogue.hasText),
      bias: {
        data: negatives.bias(rows, candidates, { logQ: config.negatives.logQ, corrected }),
        shape: [batch, candidates.length],
      },
      row_weights: { data: Float32Array.from(rows, (i) => positives.weight[i]), shape: [batch] },
      item_group: { data: items.map((item) => this.titleGroup[item]), shape: [batch] },
      queue_places: { data: places, shape: [batch] },
    }
    return { inputs, items, places }
  }

  /** Content vectors of query pictures or texts. */
  private encodeQueries(
    kind: 'image' | 'text',
    rows: Int32Array,
    { pictures, tokens }: SftData['anchors'],
  ): Float32Array {
    const { length, config } = this.shape
    const width = contentWidth(this.shape)
    const out = new Float32Array(rows.length * width)
    const size = config.vision.imageSize
    const piece = 256
    for (let from = 0; from < rows.length; from += piece) {
      const part = rows.subarray(from, from + piece)
      const n = part.length
      const nothing = { data: new Float32Array(n * config.projection), shape: [n, config.projection] }
      const encoded =
        kind === 'image'
          ? this.session.run('image', {
              pixel_values: { data: pictures.normalised(part, this.model.preprocessing), shape: [n, 3, size, size] },
            })
          : this.session.run('text', { input_ids: { data: takeRows(tokens, length, part), shape: [n, length] } })
      const flag = (on: boolean): Value => ({ data: new Float32Array(n).fill(on ? 1 : 0), shape: [n] })
      const { embedding } = this.session.run('content', {
        image_embedding: nothing,
        text_embedding: nothing,
        ...encoded,
        has_image: flag(kind === 'image'),
        has_text: flag(kind === 'text'),
      })
      out.set(embedding.data, from * width)
    }
    return out
  }
}

/** How a batch is shared among the kinds of anchors that the data has. */
function stepSizes(available: number[], { positives, negatives, train }: SftConfig): SftSizes {
  const shares = anchorKinds.map((kind, k) => (available[k] > 0 ? positives.mixture[kind] : 0))
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
