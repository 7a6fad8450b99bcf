/** How C-SFT learns: its loss, the momentum encoder that fills the queue, and whether a step goes through in pieces. */
import type { SftConfig } from '../../config/sft.js'
import { type Encoder, makeCachedTraining } from '../../engine/gradCache.js'
import type { Session, Value, VariableSpec } from '../../engine/index.js'
import { makeTraining, type Training } from '../../engine/training.js'
import { contentWidth, type EncoderShape, type Modality, towerInput } from '../../models/encoder.js'
import { encoderGroups } from '../../models/groups.js'
import { towerVectors } from '../../models/pretrain.js'
import {
  batchOf,
  choiceScale,
  itemRows,
  queueVariable,
  type SftSizes,
  sftLoss,
  type Towers,
  towerRows,
} from '../../models/sft.js'
import { Parameters } from '../../nn/parameters.js'
import { assign, assignRows, concat, emaUpdate, input, reshape, type Shape, type Tensor } from '../../ops/index.js'
import { type Program, program } from '../../ops/program.js'

const momentumPrefix = 'momentum.'
/** An encoder that fills the queue, and its input, where a step goes through in pieces. */
const queuedBy = (modality: Modality) => `queued_${modality}`
/** How much of itself the momentum encoder keeps in a step, float32 []. */
const momentumInput = 'momentum'
/** Terms of the loss of the last step. */
const termsVariable = 'loss.terms'

export const momentumOf = (parameter: string) => momentumPrefix + parameter

export interface SftTraining {
  programs: Record<string, Program>
  parameters: ReturnType<Parameters['list']>
  evaluated: Parameters
  /** All that a step depends on: that of the training, the momentum encoder, the queue. */
  state: VariableSpec[]
  scratch: VariableSpec[]
  start: Training['start']
  /** Does step `step` (from 0) at a learning rate; returns the loss before it and its terms, `loss_…` by name. */
  step(
    session: Session,
    inputs: Record<string, Value>,
    step: number,
    rate: number,
  ): { loss: number; named: Record<string, number> }
}

/** Declares in `p` what the loss learns. With `train.microBatch` negatives are those of the whole step all the same. */
export function sftTraining(
  p: Parameters,
  shape: EncoderShape,
  sizes: SftSizes,
  { levels, temperature, negatives, train }: SftConfig,
): SftTraining {
  const { microBatch } = train
  const momentumEncoder = new Parameters(momentumPrefix)
  let terms: string[] = []
  const group = (name: string, shape: Shape) => {
    if (name === choiceScale) return { rateFactor: temperature.rateFactor, weightDecay: 0 }
    const names = p.list().map((parameter) => parameter.name)
    return encoderGroups(names, train)(name, shape)
  }
  /** The loss of what the encoders made, and what a step leaves behind. */
  const lossOf = (towers: Towers, queued: () => Towers) => {
    const options = { levels, temperature, denominator: negatives.denominator }
    const momentum = sizes.queue > 0 ? { p: momentumEncoder, towers: queued() } : undefined
    const made = sftLoss(p, shape, sizes, towers, options, momentum)
    terms = made.terms.map(({ name }) => `loss_${name}`)
    const each = made.terms.map(({ loss }) => reshape(loss, [1]))
    const effects = [assign(termsVariable, concat(each, 0))]
    if (made.queued)
      effects.push(assignRows(queueVariable, input('queue_places', [batchOf(sizes)], 'int32'), made.queued))
    return { loss: made.loss, effects }
  }
  const kept = input(momentumInput, [])
  const emaUpdates = () =>
    momentumEncoder.list().map(({ name }) => emaUpdate(name, name.slice(momentumPrefix.length), kept))
  const each = <T>(of: (modality: Modality) => T) =>
    Object.fromEntries(sizes.towers.map((modality) => [modality, of(modality)])) as Partial<Record<Modality, T>>
  const whole = () => {
    const towers = each((modality) => towerVectors(p, shape, modality, towerRows(sizes, modality)))
    const { inputs } = program({ ...towers })
    const queued = (modality: Modality) =>
      towerVectors(momentumEncoder, shape, modality, itemRows(sizes, inputs.get(towerInput[modality])!, modality))
    const { loss, effects } = lossOf(towers, () => each(queued))
    return makeTraining(loss, p, [], { ...train, group }, [...effects, ...emaUpdates()])
  }
  const inPieces = () => {
    const encoders: Record<string, Encoder> = {}
    for (const modality of sizes.towers)
      encoders[modality] = { vectors: towerVectors(p, shape, modality, -1), rows: towerRows(sizes, modality) }
    for (const modality of sizes.queue > 0 ? sizes.towers : []) {
      const name = queuedBy(modality)
      encoders[name] = { vectors: towerVectors(momentumEncoder, shape, modality, name), rows: batchOf(sizes) }
    }
    const ofVectors = (vectors: Record<string, Tensor>) =>
      lossOf(
        each((modality) => vectors[modality]),
        () => each((modality) => vectors[queuedBy(modality)]),
      )
    return makeCachedTraining(encoders, ofVectors, p, { ...train, group, microBatch })
  }

  const training = microBatch > 0 ? inPieces() : whole()
  const dense = (name: string, shape: Shape): VariableSpec => ({ name, shape, dtype: 'float32' })
  const queue = sizes.queue > 0 ? [dense(queueVariable, [sizes.queue, contentWidth(shape)])] : []
  const afterwards: Record<string, Program> = microBatch > 0 ? { emaUpdate: program({}, emaUpdates()) } : {}
  return {
    programs: { ...training.programs, ...afterwards },
    parameters: p.list(),
    evaluated: training.evaluated,
    state: [...training.state, ...momentumEncoder.list().map(({ name, shape }) => dense(name, shape)), ...queue],
    scratch: [...training.scratch, dense(termsVariable, [terms.length])],
    start: training.start,
    step(session, inputs, step, rate) {
      const rows = batchOf(sizes)
      const momentum = { [momentumInput]: { data: Float32Array.of(momentumAt(step, negatives.momentum)), shape: [] } }
      const queued = sizes.queue === 0 ? {} : microBatch > 0 ? queuedInputs(inputs, sizes) : momentum
      const loss = training.step(session, [{ inputs: { ...inputs, ...queued }, rows }], step, rate)
      if (microBatch > 0) session.run('emaUpdate', momentum)
      const values = session.read(termsVariable)
      return { loss, named: Object.fromEntries(terms.map((name, i) => [name, values[i]])) }
    },
  }
}

/**
 * The momentum encoder starts where stage 1 left off. What it keeps of that would fill the queue of a short run with
 * vectors that all others then flee from, so it keeps less in the first steps, as averages of weights commonly do.
 */
export const momentumAt = (step: number, most: number) => Math.min(most, (1 + step) / (10 + step))

/** The rows of a step's pictures and titles that go into the queue, not copied. */
function queuedInputs(inputs: Record<string, Value>, sizes: SftSizes): Record<string, Value> {
  const rows = batchOf(sizes)
  return Object.fromEntries(
    sizes.towers.map((modality): [string, Value] => {
      const { data, shape } = inputs[towerInput[modality]]
      const width = data.length / shape[0]
      const first = sizes[modality] + sizes.product
      const own = data.subarray(first * width, (first + rows) * width)
      return [queuedBy(modality), { data: own, shape: [rows, ...shape.slice(1)] }]
    }),
  )
}
