/** A training step of C-SFT: the loss, the momentum encoder that fills the queue, and steps in micro-batches. */
import type { SftConfig } from '../../config/sft.js'
import { type Encoder, makeCachedTraining } from '../../engine/gradCache.js'
import type { Session, Value, VariableSpec } from '../../engine/index.js'
import { makeTraining, type Training } from '../../engine/training.js'
import { contentWidth, type EncoderShape, type Modality, towerInput } from '../../models/encoder.js'
import { encoderGroups } from '../../models/groups.js'
import { towerVectors } from '../../models/pretrain.js'
import { rowLayout, type SftSizes, take } from '../../models/sft/layout.js'
import { choiceScale, sftLoss } from '../../models/sft/loss.js'
import { queueVariable, type Towers } from '../../models/sft/vectors.js'
import { Parameters } from '../../nn/parameters.js'
import { assign, assignRows, concat, emaUpdate, input, reshape, type Shape, type Tensor } from '../../ops/index.js'
import { type Program, program } from '../../ops/program.js'

const momentumPrefix = 'momentum.'
/** With micro-batches: name of the encoder that fills the queue, and of its input. */
const queuedBy = (modality: Modality) => `queued_${modality}`
/** Input: share of itself that the momentum encoder keeps in a step, float32 []. */
const momentumInput = 'momentum'
/** Variable: the terms of the loss of the last step [terms]. */
const termsVariable = 'loss.terms'

export const momentumOf = (parameter: string) => momentumPrefix + parameter

export interface SftTraining {
  programs: Record<string, Program>
  parameters: ReturnType<Parameters['list']>
  evaluated: Parameters
  /** All variables that a step depends on: those of the optimizer, the momentum encoder and the queue. */
  state: VariableSpec[]
  scratch: VariableSpec[]
  start: Training['start']
  /** Does step `step` (from 0) at a learning rate; returns the loss before it and its terms by name, `loss_…`. */
  step(
    session: Session,
    inputs: Record<string, Value>,
    step: number,
    rate: number,
  ): { loss: number; named: Record<string, number> }
}

/** What a training is made of: the parameters of the encoder and of the momentum encoder, and the sizes of a step. */
interface Setup {
  p: Parameters
  momentumEncoder: Parameters
  shape: EncoderShape
  sizes: SftSizes
  config: SftConfig
}

/** Declares the parameters in `p`. With `train.microBatch` the negatives are still those of the whole step. */
export function sftTraining(p: Parameters, shape: EncoderShape, sizes: SftSizes, config: SftConfig): SftTraining {
  const { negatives, train } = config
  const momentumEncoder = new Parameters(momentumPrefix)
  const setup = { p, momentumEncoder, shape, sizes, config }
  const loss = new StepLoss(setup)
  const inPieces = train.microBatch > 0
  const training = inPieces ? cachedTraining(setup, loss) : wholeTraining(setup, loss)
  const dense = (name: string, shape: Shape): VariableSpec => ({ name, shape, dtype: 'float32' })
  const queue = sizes.queue > 0 ? [dense(queueVariable, [sizes.queue, contentWidth(shape)])] : []
  const update: Record<string, Program> = inPieces ? { emaUpdate: program({}, emaUpdates(momentumEncoder)) } : {}
  return {
    programs: { ...training.programs, ...update },
    parameters: p.list(),
    evaluated: training.evaluated,
    state: [...training.state, ...momentumEncoder.list().map(({ name, shape }) => dense(name, shape)), ...queue],
    scratch: [...training.scratch, dense(termsVariable, [loss.terms.length])],
    start: training.start,
    step(session, inputs, step, rate) {
      const rows = rowLayout(sizes).batch
      const momentum = { [momentumInput]: { data: Float32Array.of(momentumAt(step, negatives.momentum)), shape: [] } }
      const queued = sizes.queue === 0 ? {} : inPieces ? queuedInputs(inputs, sizes) : momentum
      const value = training.step(session, [{ inputs: { ...inputs, ...queued }, rows }], step, rate)
      if (inPieces) session.run('emaUpdate', momentum)
      const terms = session.read(termsVariable)
      return { loss: value, named: Object.fromEntries(loss.terms.map((name, i) => [name, terms[i]])) }
    },
  }
}

/** The loss of a step, and the variables that a step sets. */
class StepLoss {
  /** Names of the terms, `loss_…`; known once the loss is made. */
  terms: string[] = []
  constructor(private readonly setup: Setup) {}

  /** `queued` gives the tower vectors of the momentum encoder; called only with a queue. */
  of(towers: Towers, queued: () => Towers): { loss: Tensor; effects: Tensor[] } {
    const { p, momentumEncoder, shape, sizes, config } = this.setup
    const { levels, temperature, negatives } = config
    const options = { levels, temperature, denominator: negatives.denominator }
    const momentum = sizes.queue > 0 ? { p: momentumEncoder, towers: queued() } : undefined
    const made = sftLoss(p, shape, sizes, towers, options, momentum)
    this.terms = made.terms.map(({ name }) => `loss_${name}`)
    const each = made.terms.map(({ loss }) => reshape(loss, [1]))
    const effects = [assign(termsVariable, concat(each, 0))]
    if (made.queued)
      effects.push(assignRows(queueVariable, input('queue_places', [rowLayout(sizes).batch], 'int32'), made.queued))
    return { loss: made.loss, effects }
  }

  /** Learning rate and weight decay by parameter. */
  readonly group = (name: string, shape: Shape) => {
    const { p, config } = this.setup
    if (name === choiceScale) return { rateFactor: config.temperature.rateFactor, weightDecay: 0 }
    const names = p.list().map((parameter) => parameter.name)
    return encoderGroups(names, config.train)(name, shape)
  }
}

/** Each step runs the encoders on all rows at once. */
function wholeTraining({ p, momentumEncoder, shape, sizes, config }: Setup, stepLoss: StepLoss) {
  const { tower } = rowLayout(sizes)
  const towers = byTower(sizes, (modality) => towerVectors(p, shape, modality, tower[modality].count))
  const { inputs } = program({ ...towers })
  const queued = (modality: Modality) =>
    towerVectors(momentumEncoder, shape, modality, take(inputs.get(towerInput[modality])!, tower[modality].targets))
  const { loss, effects } = stepLoss.of(towers, () => byTower(sizes, queued))
  const updates = [...effects, ...emaUpdates(momentumEncoder)]
  return makeTraining(loss, p, [], { ...config.train, group: stepLoss.group }, updates)
}

/** Each step runs the encoders on `train.microBatch` rows at a time (GradCache, arXiv:2101.06983). */
function cachedTraining({ p, momentumEncoder, shape, sizes, config }: Setup, stepLoss: StepLoss) {
  const { batch, tower } = rowLayout(sizes)
  const encoders: Record<string, Encoder> = {}
  for (const modality of sizes.towers)
    encoders[modality] = { vectors: towerVectors(p, shape, modality, -1), rows: tower[modality].count }
  for (const modality of sizes.queue > 0 ? sizes.towers : []) {
    const name = queuedBy(modality)
    encoders[name] = { vectors: towerVectors(momentumEncoder, shape, modality, name), rows: batch }
  }
  const lossOf = (vectors: Record<string, Tensor>) =>
    stepLoss.of(
      byTower(sizes, (modality) => vectors[modality]),
      () => byTower(sizes, (modality) => vectors[queuedBy(modality)]),
    )
  return makeCachedTraining(encoders, lossOf, p, { ...config.train, group: stepLoss.group })
}

const byTower = (sizes: SftSizes, vectors: (modality: Modality) => Tensor): Towers =>
  Object.fromEntries(sizes.towers.map((modality) => [modality, vectors(modality)]))

/** Moves the momentum encoder toward the encoder. */
function emaUpdates(momentumEncoder: Parameters): Tensor[] {
  const kept = input(momentumInput, [])
  return momentumEncoder.list().map(({ name }) => emaUpdate(name, name.slice(momentumPrefix.length), kept))
}

/**
 * Momentum at a step. It is lower in the first steps, as is usual for averages of weights: the momentum encoder starts
 * from stage 1, and in a short run a constant momentum would fill the queue with vectors of stage 1, from which all
 * other vectors then move away.
 */
export const momentumAt = (step: number, most: number) => Math.min(most, (1 + step) / (10 + step))

/** The rows of the step's tower inputs that are its targets, as views. */
function queuedInputs(inputs: Record<string, Value>, sizes: SftSizes): Record<string, Value> {
  const { tower } = rowLayout(sizes)
  return Object.fromEntries(
    sizes.towers.map((modality): [string, Value] => {
      const { data, shape } = inputs[towerInput[modality]]
      const width = data.length / shape[0]
      const { from, to, count } = tower[modality].targets
      const rows = data.subarray(from * width, to * width)
      return [queuedBy(modality), { data: rows, shape: [count, ...shape.slice(1)] }]
    }),
  )
}
