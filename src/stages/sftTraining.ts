/** How C-SFT learns: its loss, the momentum encoder that fills the queue, and whether a step goes through in pieces. */
import type { SftConfig } from '../config/sft.js'
import { makeCachedTraining } from '../engine/gradCache.js'
import type { Session, Value, VariableSpec } from '../engine/index.js'
import { makeTraining, type Training } from '../engine/training.js'
import { contentWidth, type EncoderShape } from '../models/encoder.js'
import { encoderGroups } from '../models/groups.js'
import { towerVectors } from '../models/pretrain.js'
import {
  batchOf,
  choiceScale,
  itemRows,
  pixelRows,
  queuedContent,
  queueVariable,
  type SftSizes,
  sftLoss,
  type Towers,
  tokenRows,
} from '../models/sft.js'
import { Parameters } from '../nn/parameters.js'
import { assign, assignRows, concat, constant, follow, input, reshape, type Shape, type Tensor } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'

const momentumPrefix = 'momentum.'
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
  const follower = new Parameters(momentumPrefix)
  let terms: string[] = []
  const group = (name: string, shape: Shape) => {
    if (name === choiceScale) return { rateFactor: temperature.rateFactor, weightDecay: 0 }
    const names = p.list().map((parameter) => parameter.name)
    return encoderGroups(names, train)(name, shape)
  }
  /** The loss of what the encoders made, and what a step leaves behind. */
  const lossOf = (towers: Towers, queued: () => Towers) => {
    const made = sftLoss(p, shape, sizes, towers, { levels, temperature, denominator: negatives.denominator })
    terms = made.terms.map(({ name }) => `loss_${name}`)
    const each = made.terms.map(({ loss }) => reshape(loss, [1]))
    const effects = [assign(termsVariable, concat(each, 0))]
    if (sizes.queue > 0) {
      const content = queuedContent(follower, shape, sizes, queued(), program({ loss: made.loss }).inputs)
      effects.push(assignRows(queueVariable, input('queue_places', [batchOf(sizes)], 'int32'), content))
    }
    return { loss: made.loss, effects }
  }
  const follows = () =>
    follower.list().map(({ name }) => follow(name, name.slice(momentumPrefix.length), constant(negatives.momentum, [])))
  const whole = () => {
    const towers = {
      image: towerVectors(p, shape, 'image', pixelRows(sizes)),
      text: towerVectors(p, shape, 'text', tokenRows(sizes)),
    }
    const { inputs } = program({ ...towers })
    const queued = () => {
      const read = (name: string, modality: 'image' | 'text') => itemRows(sizes, inputs.get(name)!, modality)
      return {
        image: towerVectors(follower, shape, 'image', read('pixel_values', 'image')),
        text: towerVectors(follower, shape, 'text', read('input_ids', 'text')),
      }
    }
    const { loss, effects } = lossOf(towers, queued)
    return makeTraining(loss, p, [], { ...train, group }, [...effects, ...follows()])
  }
  const inPieces = () => {
    const encoders = {
      image: { vectors: towerVectors(p, shape, 'image', -1), rows: pixelRows(sizes) },
      text: { vectors: towerVectors(p, shape, 'text', -1), rows: tokenRows(sizes) },
      ...(sizes.queue > 0
        ? {
            queuedImage: { vectors: towerVectors(follower, shape, 'image', 'queued_pixels'), rows: batchOf(sizes) },
            queuedText: { vectors: towerVectors(follower, shape, 'text', 'queued_ids'), rows: batchOf(sizes) },
          }
        : {}),
    }
    const ofVectors = ({ image, text, queuedImage, queuedText }: Record<string, Tensor>) =>
      lossOf({ image, text }, () => ({ image: queuedImage, text: queuedText }))
    return makeCachedTraining(encoders, ofVectors, p, { ...train, group, microBatch })
  }

  const training = microBatch > 0 ? inPieces() : whole()
  const dense = (name: string, shape: Shape): VariableSpec => ({ name, shape, dtype: 'float32' })
  const queue = sizes.queue > 0 ? [dense(queueVariable, [sizes.queue, contentWidth(shape)])] : []
  const afterwards: Record<string, Program> = microBatch > 0 ? { follow: program({}, follows()) } : {}
  return {
    programs: { ...training.programs, ...afterwards },
    parameters: p.list(),
    evaluated: training.evaluated,
    state: [...training.state, ...follower.list().map(({ name, shape }) => dense(name, shape)), ...queue],
    scratch: [...training.scratch, dense(termsVariable, [terms.length])],
    start: training.start,
    step(session, inputs, step, rate) {
      const rows = batchOf(sizes)
      const fed = microBatch > 0 && sizes.queue > 0 ? { ...inputs, ...queuedInputs(inputs, sizes) } : inputs
      const loss = training.step(session, [{ inputs: fed, rows }], step, rate)
      if (microBatch > 0) session.run('follow', {})
      const values = session.read(termsVariable)
      return { loss, named: Object.fromEntries(terms.map((name, i) => [name, values[i]])) }
    },
  }
}

/** The rows of a step's pictures and titles that go into the queue, not copied. */
function queuedInputs(inputs: Record<string, Value>, sizes: SftSizes): Record<string, Value> {
  const part = (name: string, first: number): Value => {
    const { data, shape } = inputs[name]
    const width = data.length / shape[0]
    const rows = batchOf(sizes)
    return { data: data.subarray(first * width, (first + rows) * width), shape: [rows, ...shape.slice(1)] }
  }
  return {
    queued_pixels: part('pixel_values', sizes.image + sizes.product),
    queued_ids: part('input_ids', sizes.text + sizes.product),
  }
}
