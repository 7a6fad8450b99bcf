/**
 * Batches larger than the memory for their activations, with the gradient of the whole (GradCache, Gao et al. 2021,
 * arXiv:2101.06983). A contrastive loss holds every vector against all others, but needs the vectors only: they are
 * made piece by piece and nothing else is kept, the loss gives the gradient with respect to each of them, and every
 * piece is run once more to take its share back to the parameters.
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
  /** Rows of an encoder's inputs that are worked on at once. */
  microBatch: number
}

export interface Encoder {
  /** [-1, d]; a row depends on the same row of all inputs, and on nothing else of them. */
  vectors: Tensor
  /** Rows in a batch. */
  rows: number
}

/** What is made of the vectors of a whole batch. */
export interface VectorLoss {
  loss: Tensor
  /** What else a step does. */
  effects?: Tensor[]
}

/** `lossOf` makes of all vectors of a batch, [rows, d], what a step is for. A step has one part: the batch. */
export function makeCachedTraining(
  encoders: Record<string, Encoder>,
  lossOf: (vectors: Record<string, Tensor>) => VectorLoss,
  p: Parameters,
  options: CachedOptions,
): Training {
  const names = Object.keys(encoders)
  const vectors = Object.fromEntries(
    names.map((name) => [name, input(vectorsOf(name), [encoders[name].rows, encoders[name].vectors.shape[1]])]),
  )
  const { loss, effects = [] } = lossOf(vectors)
  const parameters = p.trainable()
  /** Parameters whose sum has begun when a program runs, for an earlier one adds to it too. */
  const begun = new Set<string>()
  const keep = input('part.keep', [])
  const sums = (of: Tensor, seed: Tensor | undefined, isFirst: Tensor | undefined) => {
    const read = new Set(ancestors([of]))
    const own = parameters.filter(({ tensor }) => read.has(tensor))
    const targets = [...own.map(({ tensor }) => tensor), ...(seed ? [] : Object.values(vectors))]
    const found = gradients(of, targets, { seed, recompute: options.recompute })
    const adds = own.map(({ name, shape }, i) =>
      addToSum({ name, shape, gradient: found[i] }, begun.has(name) ? constant(1, []) : isFirst),
    )
    for (const { name } of own) begun.add(name)
    return { adds, rest: found.slice(own.length) }
  }

  const head = sums(loss, undefined, undefined)
  const outputs = Object.fromEntries(names.map((name, i) => [gradientOf(name), head.rest[i]]))
  const programs: Record<string, Program> = {}
  for (const name of names) {
    programs[encodeBy(name)] = program({ vectors: encoders[name].vectors })
    const { adds } = sums(encoders[name].vectors, input('gradient', encoders[name].vectors.shape), keep)
    // An encoder without parameters to learn is only run forward.
    if (adds.length > 0) programs[backwardBy(name)] = program({}, adds)
    else delete outputs[gradientOf(name)]
  }
  programs['loss'] = program({ loss, ...outputs }, [...head.adds, ...effects])

  const pieces = (name: string, inputs: Record<string, Value>) => {
    const own = [...programs[encodeBy(name)].inputs.keys()]
    return piecesOf(Object.fromEntries(own.map((key) => [key, inputs[key]])), options.microBatch)
  }
  const run = (session: Session, inputs: Record<string, Value>) => {
    const made = names.map((name): [string, Value] => {
      const parts = pieces(name, inputs).map((piece) => session.run(encodeBy(name), piece)['vectors'])
      return [vectorsOf(name), joined(parts)]
    })
    const { loss, ...found } = session.run('loss', { ...inputs, ...Object.fromEntries(made) })
    for (const name of names.filter((name) => gradientOf(name) in outputs)) {
      const gradient = piecesOf({ gradient: found[gradientOf(name)] }, options.microBatch)
      for (const [i, piece] of pieces(name, inputs).entries()) {
        session.run(backwardBy(name), { ...piece, ...gradient[i], 'part.keep': scalar(i > 0 ? 1 : 0) })
      }
    }
    return { loss: loss.data[0], touched: {} }
  }
  return trainingOf(
    { programs, ...sumsOf(parameters), tables: [], run: (session, [part]) => run(session, part.inputs) },
    p,
    options,
  )
}

const vectorsOf = (encoder: string) => `vectors/${encoder}`
const gradientOf = (encoder: string) => `gradient/${encoder}`
const encodeBy = (encoder: string) => `encode/${encoder}`
const backwardBy = (encoder: string) => `backward/${encoder}`

/** Values of equally many rows cut into pieces of `rows`, the last one perhaps shorter. The numbers are not copied. */
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
