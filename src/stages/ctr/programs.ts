/** The programs of a click model, for training and scoring, and their variables. */
import type { CtrConfig } from '../../config/ctr.js'
import type { VariableSpec } from '../../engine/index.js'
import { makeTraining, type Training } from '../../engine/training.js'
import {
  type CtrFeatures,
  CtrInputs,
  contentTable,
  ctrLoss,
  ctrModel,
  mixture,
  mixVariable,
  tableName,
  weightInput,
} from '../../models/ctr/index.js'
import { decays } from '../../models/groups.js'
import type { Mode } from '../../nn/mlp.js'
import { BatchStatistics } from '../../nn/norm.js'
import { Parameters } from '../../nn/parameters.js'
import { input, sigmoid } from '../../ops/index.js'
import { type Program, program } from '../../ops/program.js'

type Config = Pick<CtrConfig, 'model' | 'train'>

/** Training of the model, or of its content branch alone, with the parameters that it declares. */
interface Trained {
  training: Training
  parameters: ReturnType<Parameters['list']>
  tables: VariableSpec[]
  running: BatchStatistics['variables']
}

export interface CtrPrograms extends Trained {
  /** Training of the content branch alone, if it comes first (MAKE); its programs have the prefix `make.`. */
  make: Training | undefined
  programs: Record<string, Program>
  /** Number of logits that the prediction mixes. */
  branches: number
  /** Whether their shares are chosen on the validation part. */
  isMixed: boolean
  /** Variables of prediction: parameters or their averages, tables, running statistics and the mixture. */
  modelVariables: VariableSpec[]
  /** Variables that a step depends on. */
  stateVariables: VariableSpec[]
  /** Those, scratch variables and frozen content vectors. */
  allVariables: VariableSpec[]
}

const dense = ({ name, shape }: Pick<VariableSpec, 'name' | 'shape'>): VariableSpec => ({
  name,
  shape,
  dtype: 'float32',
})

export function ctrPrograms(features: CtrFeatures, config: Config): CtrPrograms {
  const { model, train } = config
  const trained = trainedModel(features, config)
  const comesFirst = model.name === 'ciubm' && train.makeEpochs > 0
  const content = { train, model: { ...model, name: 'content' } } as const
  const make = comesFirst ? trainedModel(features, content).training : undefined
  const { training, tables, running } = trained
  const { evaluated, programs, state, scratch } = training
  const mixed = ctrModel(evaluated, new CtrInputs(features, model.dim), model, {
    statistics: new BatchStatistics(false),
    prefix: evaluated.prefix,
  })
  const branches = mixed.branches.length
  const isMixed = branches > 1 && mixed.share === undefined
  const mix = isMixed ? [dense({ name: mixVariable, shape: [] })] : []
  const averages = running.map(dense)
  const stateVariables = [...state, ...averages, ...mix]
  const vectors = features.content
  const frozen: VariableSpec[] = vectors
    ? [{ name: contentTable, shape: [vectors.rows, vectors.width], dtype: vectors.type, table: true }]
    : []
  const ofMake = Object.entries(make?.programs ?? {}).map(([name, p]) => [`${makePrefix}${name}`, p] as const)
  return {
    ...trained,
    make,
    programs: {
      ...programs,
      ...Object.fromEntries(ofMake),
      predict: program({ probability: sigmoid(mixture(mixed, train.negatives)) }),
      branches: program(Object.fromEntries(mixed.branches.map((logits, i) => [`${i}`, logits]))),
    },
    branches,
    isMixed,
    modelVariables: [...evaluated.list().map(dense), ...tables, ...averages, ...mix],
    stateVariables,
    allVariables: [...stateVariables, ...scratch, ...frozen],
  }
}

export const makePrefix = 'make.'

function trainedModel(features: CtrFeatures, { model, train }: Config): Trained {
  const p = new Parameters()
  const seed = input('seed', [2], 'int32')
  const inputs = new CtrInputs(features, model.dim, { unknown: { rate: train.unknownShare, seed } })
  const mode: Mode = { dropout: { rate: model.dropout, seed }, statistics: new BatchStatistics(true), prefix: '' }
  const weights = features.isWeighted ? input(weightInput('label'), [-1]) : undefined
  const loss = ctrLoss(ctrModel(p, inputs, model, mode), input('label', [-1]), train.branchLoss, weights)
  const parameters = p.list()
  // A model without ids does not read the embedding tables.
  const used = new Set(inputs.lookups.map(({ table }) => table))
  const sizes = new Map([...features.impression, ...features.item].map(({ table, size }) => [tableName(table), size]))
  const tables = [...sizes]
    .filter(([name]) => used.has(name))
    .map(([name, size]): VariableSpec => ({ name, shape: [size, model.dim], dtype: 'float32', table: true }))
  const training = makeTraining(
    loss,
    p,
    tables.map(({ name, shape }) => ({
      name,
      shape,
      lookups: inputs.lookups.filter(({ table }) => table === name),
      rateFactor: train.tableRate,
      l2: train.tableL2,
    })),
    {
      ...train,
      group: (name, shape) => ({
        rateFactor: name.startsWith('content.') ? train.contentRate : 1,
        weightDecay: decays(name, shape) ? train.weightDecay : 0,
      }),
    },
    mode.statistics.effects,
  )
  return { training, parameters, tables, running: mode.statistics.variables }
}
