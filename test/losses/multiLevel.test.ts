import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { sftConfig } from '../../src/config/sft.js'
import { Negatives } from '../../src/data/choices/negatives.js'
import type { Positives } from '../../src/data/choices/positives.js'
import type { Engine, Value } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import { encoderPrograms, towerInput } from '../../src/models/encoder.js'
import { towerVectors } from '../../src/models/pretrain.js'
import { rowLayout, type SftSizes, take } from '../../src/models/sft/layout.js'
import { type SftLossOptions, sftLoss } from '../../src/models/sft/loss.js'
import { queueVariable } from '../../src/models/sft/vectors.js'
import { Parameters } from '../../src/nn/parameters.js'
import { gradients } from '../../src/ops/gradients.js'
import { program } from '../../src/ops/program.js'
import { isOp, type Tensor } from '../../src/ops/tensor.js'
import { onEachEngine } from '../engines.js'
import { shape } from '../models/tinyEncoder.js'
import { roundingOf } from '../ops/check.js'

const sizes: SftSizes = { image: 2, text: 2, product: 2, hard: 3, queue: 6, towers: ['image', 'text'] }
const [batch, projection, width] = [6, 6, 5]

// Six pairs (two of each kind of query), then three whose items are in the queue with theirs; 12 items.
const positives: Positives = {
  count: 9,
  kind: Uint8Array.of(0, 0, 1, 1, 2, 2, 1, 0, 2),
  query: Int32Array.of(0, 1, 0, 1, 8, 9, 0, 0, 7),
  target: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 0),
  weight: Float32Array.of(1, 0.5, 1, 0.5, 0.25, 0.25, 1, 1, 1),
  part: new Uint8Array(9),
  second: Int32Array.from([0, 1, 2, 3, 4, 5, 90, 1, 2], (hour) => hour * 3600),
  request: new Int32Array(9).fill(-1),
  session: Int32Array.of(0, 1, 2, 0, 3, 4, 5, 6, 7),
  queryImages: ['a', 'b'],
  queryTexts: ['x', 'y'],
  rejected: { items: new Int32Array(), offsets: Int32Array.of(0) },
  inSession: { items: Int32Array.of(0, 3, 1, 2, 4, 5, 6, 7, 0), offsets: Int32Array.of(0, 2, 3, 4, 5, 6, 7, 8, 9) },
  bySource: {},
}
// Items 1 and 10 are alike.
const alike = Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 11)
const [hard, queuedPairs] = [
  [10, 8, -1],
  [6, 7, 8, -1, -1, 3],
]
const pairs = Int32Array.of(0, 1, 2, 3, 4, 5)
const maxAgeDays = 2
const candidates = {
  items: Int32Array.of(0, 1, 2, 3, 4, 5, ...hard, ...queuedPairs.map((p) => (p < 0 ? -1 : positives.target[p]))),
  pairs: Int32Array.of(...new Array(9).fill(-1), ...queuedPairs),
  queuedFrom: 9,
}

/** Whether column `j` is a negative of row `i`, from what is said above. */
function isNegative(i: number, j: number): boolean {
  const item = candidates.items[j]
  if (item < 0 || item === positives.target[i] || alike[item] === alike[positives.target[i]]) return false
  for (let p = 0; p < positives.count; p++) {
    const sameQuery = positives.kind[p] === positives.kind[i] && positives.query[p] === positives.query[i]
    if ((sameQuery || positives.session[p] === positives.session[i]) && positives.target[p] === item) return false
  }
  const hours = j < 9 ? 0 : Math.abs(positives.second[candidates.pairs[j]] - positives.second[i]) / 3600
  return hours <= maxAgeDays * 24
}

/** ln of how much oftener than average item is chosen: 9 choices of 8 items, item 0 twice. */
const logQ = (item: number) => (item > 7 ? 0 : Math.log(((item === 0 ? 2 : 1) / 9) * 8))

const random = Random.of('loss')
const uniform = (n: number) => Float32Array.from({ length: n }, () => random.uniform())
const value = (data: Value['data'], ...of: number[]): Value => ({ data, shape: of })
/** The last item has no picture, the one before no title. */
const itemHas = {
  image: Float32Array.of(1, 1, 1, 1, 1, 0, 1, 1, 1),
  text: Float32Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1),
}
const productHas = { image: Float32Array.of(1, 0), text: Float32Array.of(1, 1) }
const unit = (x: number[]) => x.map((v) => v / Math.hypot(...x))
const rowsOf = (data: ArrayLike<number>, d: number) =>
  Array.from({ length: data.length / d }, (_, i) => Array.from(data).slice(i * d, (i + 1) * d))
const queue = rowsOf(uniform(sizes.queue * width), width).map((row) => unit(row.map((v) => v - 0.5)))
const first = rowsOf(uniform(batch * width), width).map((row) => unit(row.map((v) => v - 0.5)))
const pixels = value(uniform(13 * 3 * 64), 13, 3, 8, 8)
const ids = value(
  Int32Array.from(uniform(13 * 4), (u, i) => (i % 4 === 3 ? 19 : 1 + Math.floor(u * 18))),
  13,
  4,
)

const weights = { fused: 1, image: 0.5, text: 0.25, alignment: 0.5, distillation: 2, matryoshka: [3], prefix: 0.75 }
const options: SftLossOptions = {
  // Other terms are off by default.
  levels: { ...sftConfig.parse({}).levels, ...weights },
  temperature: { initial: 0.2, lowest: 0.01 },
  denominator: 'shared',
}

function open(engine: Engine, denominator: SftLossOptions['denominator']) {
  const p = new Parameters()
  const towers = {
    image: towerVectors(p, shape, 'image', 13),
    text: towerVectors(p, shape, 'text', 13),
  }
  const momentumEncoder = new Parameters('momentum.')
  const { inputs } = program(towers)
  const ofItems = (modality: 'image' | 'text') =>
    towerVectors(
      momentumEncoder,
      shape,
      modality,
      take(inputs.get(towerInput[modality])!, rowLayout(sizes).tower[modality].targets),
    )
  const momentum = { p: momentumEncoder, towers: { image: ofItems('image'), text: ofItems('text') } }
  const { loss, terms, queued } = sftLoss(p, shape, sizes, towers, { ...options, denominator }, momentum)
  const [ofQueue] = gradients(loss, [queueOf(loss)])
  const outputs = {
    loss,
    queue: ofQueue,
    queued: queued!,
    ...Object.fromEntries(terms.map((term) => [term.name, term.loss])),
  }
  const queueSpec = { name: queueVariable, shape: [sizes.queue, width] }
  const variables = [...p.list(), ...momentumEncoder.list(), queueSpec].map((spec) => ({
    ...spec,
    dtype: 'float32' as const,
  }))
  const session = engine.open({ loss: program(outputs), ...encoderPrograms(p, shape) }, variables)
  for (const parameter of [...p.list(), ...momentumEncoder.list()])
    session.write(parameter.name, initialValues(parameter, parameter.name.startsWith('momentum.') ? 4 : 3))
  session.write(queueVariable, Float32Array.from(queue.flat()))
  const negatives = new Negatives(positives, new Int32Array(12).fill(-1), alike)
  const corrected = (column: number) => column < batch || column >= candidates.queuedFrom
  const found = session.run('loss', {
    pixel_values: pixels,
    input_ids: ids,
    product_has_image: value(productHas.image, 2),
    product_has_text: value(productHas.text, 2),
    item_has_image: value(itemHas.image, 9),
    item_has_text: value(itemHas.text, 9),
    bias: value(negatives.bias(pairs, candidates, { logQ: true, corrected, maxAgeDays }), batch, 15),
    row_weights: value(positives.weight.slice(0, batch), batch),
    item_group: value(alike.slice(0, batch), batch),
    first_vectors: value(Float32Array.from(first.flat()), batch, width),
  })
  return { session, found }
}

/** The variable of the queue, among what the loss is made of. */
function queueOf(loss: Tensor): Tensor {
  return program({ loss }).nodes.find((node) => isOp(node, 'variable') && node.attrs.name === queueVariable)!
}

/** What the loss should be, by the formula in double precision, from the vectors that the encoder makes. */
function expected(engine: Engine, denominator: SftLossOptions['denominator']) {
  const { session, found } = open(engine, denominator)
  const images = rowsOf(session.run('image', { pixel_values: pixels })['image_embedding'].data, projection)
  const texts = rowsOf(session.run('text', { input_ids: ids })['text_embedding'].data, projection)
  const fuse = (rows: { image?: number[]; text?: number[] }[]) => {
    const zeros = new Array<number>(projection).fill(0)
    const flat = (of: 'image' | 'text') =>
      value(Float32Array.from(rows.flatMap((row) => row[of] ?? zeros)), rows.length, projection)
    const flags = (of: 'image' | 'text') =>
      value(
        Float32Array.from(rows, (row) => (row[of] ? 1 : 0)),
        rows.length,
      )
    const inputs = { image_embedding: flat('image'), text_embedding: flat('text') }
    const run = session.run('content', { ...inputs, has_image: flags('image'), has_text: flags('text') })
    return rowsOf(run['embedding'].data, width)
  }
  const anchors = [
    { image: images[0] },
    { image: images[1] },
    { text: texts[0] },
    { text: texts[1] },
    { image: images[2], text: texts[2] },
    { text: texts[3] },
  ]
  const items = Array.from({ length: 9 }, (_, i) => ({
    ...(itemHas.image[i] ? { image: images[4 + i] } : {}),
    ...(itemHas.text[i] ? { text: texts[4 + i] } : {}),
  }))
  const [askedContent, content] = [fuse(anchors), fuse(items)]
  const all = [...content, ...queue]
  const prefix = (x: number[]) => unit(x.slice(0, 3))
  // What fills the queue made of the items; queued vectors are held against these.
  const aged = rowsOf(found['queued'].data, width)
  const levels: Record<string, [number, (number[] | undefined)[], (number[] | undefined)[], number[][]?]> = {
    fused: [1, askedContent, all, aged],
    fused_3: [0.75, askedContent.map(prefix), all.map(prefix), aged.map(prefix)],
    image: [0.5, anchors.map((a) => a.image), items.map((i) => i.image)],
    text: [0.25, anchors.map((a) => a.text), items.map((i) => i.text)],
  }
  const pools: Record<string, [number, number]> =
    denominator === 'shared' ? { '': [0, 15] } : { _batch: [0, 6], _hard: [6, 9], _queue: [9, 15] }
  const terms: Record<string, number> = {}
  let loss = 0
  for (const [name, [weight, from, to, aged]] of Object.entries(levels)) {
    const used = Object.entries(pools).filter(([, [start]]) => start < to.length)
    for (const [pool, [start, end]] of used) {
      const correction = (j: number) => (pool === '_hard' || (j >= 6 && j < 9) ? 0 : logQ(candidates.items[j]))
      const logit = (i: number, j: number) => dot(from[i]!, to[j]!) / options.temperature.initial - correction(j)
      const rows = Array.from(pairs).filter((i) => from[i] && to[i])
      const surprise = rows.map((i) => {
        const own =
          dot(from[i]!, to[i]!) / options.temperature.initial - (pool === '_hard' ? 0 : logQ(candidates.items[i]))
        const ownAged = aged && dot(from[i]!, aged[i]) / options.temperature.initial - logQ(candidates.items[i])
        let odds = 0
        for (let j = start; j < Math.min(end, to.length); j++)
          if (j !== i && to[j] && isNegative(i, j)) odds += Math.exp(logit(i, j) - (j >= 9 ? ownAged! : own))
        return Math.log(1 + odds)
      })
      const total = rows.reduce((sum, i) => sum + positives.weight[i], 0)
      terms[name + pool] = rows.reduce((sum, i, k) => sum + positives.weight[i] * surprise[k], 0) / total
      loss += (weight / used.length) * terms[name + pool]
    }
  }
  const both = [0, 1, 2, 3]
  const scale = Math.exp(shape.config.logitScale)
  const aligned = (from: 'image' | 'text', to: 'image' | 'text') => {
    const rows = both.map((i) => {
      const logits = Array.from({ length: batch }, (_, j) => j)
        .filter((j) => items[j][to])
        .map((j) => scale * dot(items[i][from]!, items[j][to]!))
      return Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - scale * dot(items[i][from]!, items[i][to]!)
    })
    return rows.reduce((a, b) => a + b, 0) / rows.length
  }
  terms['alignment'] = (aligned('image', 'text') + aligned('text', 'image')) / 2
  terms['distillation'] = first.reduce((sum, x, i) => sum + 1 - dot(x, content[i]), 0) / batch
  session.dispose()
  return { terms, loss: loss + 0.5 * terms['alignment'] + 2 * terms['distillation'], found }
}

const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0)

/**
 * A term is a mean over rows of the logarithm of a sum over candidates of exp of a cosine: these are its sums.
 * It changes by at most 1 with each logit, and depends on the target's and on those of the candidates; a logit is a
 * cosine, at most 1, over the temperature. So a relative change of the vectors, times this, is what the term loses.
 */
const longest = width + candidates.items.length + batch
const condition = 2 * Math.max(1 / options.temperature.initial, Math.exp(shape.config.logitScale))
const allWeights = Object.values(weights).reduce<number>((sum, x) => sum + (typeof x === 'number' ? x : 0), 0)

await onEachEngine('the loss of C-SFT', (engine) => {
  for (const denominator of ['shared', 'separate'] as const) {
    test(`when denominators are ${denominator} then each term equals the plain formula with every mask`, () => {
      const { terms, loss, found } = expected(engine, denominator)
      const names = Object.keys(found).filter((name) => !['loss', 'queue', 'queued'].includes(name))
      assert.deepEqual(names.sort(), Object.keys(terms).sort())
      for (const [name, wanted] of [...Object.entries(terms), ['loss', loss] as const]) {
        const got = found[name].data[0]
        const weight = name === 'loss' ? allWeights : 1
        const bound = roundingOf(longest, Math.max(1, wanted) + weight * condition)
        assert.ok(Math.abs(got - wanted) <= bound, `${name}: ${got}, expected ${wanted} to ${bound}`)
      }
    })
  }

  test('when the loss is differentiated then nothing flows into the queue', () => {
    const { session, found } = open(engine, 'shared')
    assert.ok(found['queue'].data.every((slope) => slope === 0))
    session.dispose()
  })
})

test('when negatives are masked then a queued item that is a known positive of the query is not among them', () => {
  // The query of row 2 is text 0 and its other item 6 is queued first; that of row 0 is picture 0 and its other item 7 follows.
  assert.deepEqual(
    [isNegative(2, 9), isNegative(0, 10), isNegative(1, 9), isNegative(1, 6)],
    [false, false, false, false],
  )
  assert.deepEqual([isNegative(4, 10), isNegative(4, 11), isNegative(1, 14)], [true, true, true])
})
