/**
 * Batches larger than the memory for their activations, with the gradient of the whole batch (GradCache, Gao et al.
 * 2021, arXiv:2101.06983). A contrastive loss compares every vector with all others, but needs the vectors only. They
 * are computed piece by piece and nothing else is kept; the loss gives the gradient with respect to each vector; every
 * piece runs once more to carry its part of the gradient back to the parameters.
 */
import type { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { constant, input, type Tensor } from '../ops/index.js'
import { ancestors, type Program, program } from '../ops/program.js'
import { addToSum, joined, sumsOf } from './accumulate.js'
import { scalar } from './optimizer.js'
import type { Session, Value } from './session.js'
import { type Training, type TrainingOptions, trainingOf } from './training.js'

export interface CachedOptions extends TrainingOptions {
  /** Rows of an encoder's inputs that are processed at once. */
  microBatch: number
}

export interface Encoder {
  /** [-1, d]; a row depends on the same row of each input, and on no other row. */
  vectors: Tensor
  /** Rows in a batch. */
  rows: number
}

/** The loss of the vectors of a whole batch. */
export interface VectorLoss {
  loss: Tensor
  /** Further effects of a step. */
  effects?: Tensor[]
}

/**
 * A training that runs its encoders on `options.microBatch` rows at a time. `lossOf` computes the loss from the vectors of
 * the whole batch, [rows, d] of each encoder. A step has one part: the batch.
 */
export function makeCachedTraining(
  encoders: Record<string, Encoder>,
  lossOf: (vectors: Record<string, Tensor>) => VectorLoss,
  p: Parameters,
  options: CachedOptions,
): Training {
  const { programs, learning } = cachedPrograms(encoders, lossOf, p, options)
  /** The inputs of an encoder, cut into pieces. */
  const piecesFor = (name: string, inputs: Record<string, Value>) => {
    const own = [...programs[encodeBy(name)].inputs.keys()]
    return piecesOf(Object.fromEntries(own.map((key) => [key, inputs[key]])), options.microBatch)
  }
  const run = (session: Session, inputs: Record<string, Value>) => {
    const encoded = Object.keys(encoders).map((name): [string, Value] => {
      const parts = piecesFor(name, inputs).map((piece) => session.run(encodeBy(name), piece)['vectors'])
      return [vectorsOf(name), joined(parts)] // [rows, d]
    })
    const { loss, ...found } = session.run('loss', { ...inputs, ...Object.fromEntries(encoded) })
    for (const name of learning) {
      const gradient = piecesOf({ gradient: found[gradientOf(name)] }, options.microBatch)
      for (const [i, piece] of piecesFor(name, inputs).entries()) {
        session.run(backwardBy(name), { ...piece, ...gradient[i], 'part.keep': scalar(i > 0 ? 1 : 0) })
      }
    }
    return { loss: loss.data[0], touched: {} }
  }
  return trainingOf(
    { programs, ...sumsOf(p.trainable()), tables: [], run: (session, [part]) => run(session, part.inputs) },
    p,
    options,
  )
}

/**
 * The programs of a step: `encode/NAME` computes vectors, `loss` their gradients, `backward/NAME` adds the gradients of
 * an encoder's parameters. `learning` names the encoders that have parameters to train.
 */
function cachedPrograms(
  encoders: Record<string, Encoder>,
  lossOf: (vectors: Record<string, Tensor>) => VectorLoss,
  p: Parameters,
  { recompute }: CachedOptions,
): { programs: Record<string, Program>; learning: string[] } {
  const names = Object.keys(encoders)
  const vectors = names.map((name) => input(vectorsOf(name), [encoders[name].rows, encoders[name].vectors.shape[1]]))
  const { loss, effects = [] } = lossOf(Object.fromEntries(names.map((name, i) => [name, vectors[i]])))
  const parameters = p.trainable()
  /** Parameters with a sum to which an earlier program of the step has added. */
  const begun = new Set<string>()
  /** Adds the gradients of what `output` reads to their sums; `rest` are those with respect to `others`. */
  const sumGradients = (output: Tensor, others: Tensor[], seed?: Tensor, keep?: Tensor) => {
    const read = new Set(ancestors([output]))
    const own = parameters.filter(({ tensor }) => read.has(tensor))
    const found = gradients(output, [...own.map(({ tensor }) => tensor), ...others], { seed, recompute })
    const adds = own.map(({ name, shape }, i) =>
      addToSum({ name, shape, gradient: found[i] }, begun.has(name) ? constant(1, []) : keep),
    )
    for (const { name } of own) begun.add(name)
    return { adds, rest: found.slice(own.length) }
  }

  const head = sumGradients(loss, vectors)
  const programs: Record<string, Program> = {}
  const outputs: Record<string, Tensor> = { loss }
  const keep = input('part.keep', [])
  for (const [i, name] of names.entries()) {
    const encoded = encoders[name].vectors // [-1, d]
    programs[encodeBy(name)] = program({ vectors: encoded })
    const { adds } = sumGradients(encoded, [], input('gradient', encoded.shape), keep)
    // An encoder without parameters to train only runs forward.
    if (adds.length === 0) continue
    programs[backwardBy(name)] = program({}, adds)
    outputs[gradientOf(name)] = head.rest[i]
  }
  programs['loss'] = program(outputs, [...head.adds, ...effects])
  return { programs, learning: names.filter((name) => gradientOf(name) in outputs) }
}

const vectorsOf = (encoder: string) => `vectors/${encoder}`
const gradientOf = (encoder: string) => `gradient/${encoder}`
const encodeBy = (encoder: string) => `encode/${encoder}`
const backwardBy = (encoder: string) => `backward/${encoder}`

/** Cuts values with the same number of rows into pieces of `rows`, the last one perhaps shorter; data is not copied. */
function piecesOf(values: Record<string, Value>, rows: number): Record<string, Value>[] {
  const entries = Object.entries(values)
  const total = entries[0][1].shape[0]
  return Array.from({ length: Math.ceil(total / rows) }, (_, i) => {
    const [from, to] = [i * rows, Math.min((i + 1) * rows, total)]
    return Object.fromEntries(
      entries.map(([name, { data, shape }]) => {
        const width = data.length / total
        return [name, { data: data.subarray(from * width, to * width), shape: [to - from, ...shape.slice(1)] }]
      }),
    )
  })
}
