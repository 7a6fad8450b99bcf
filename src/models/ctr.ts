/** Click models: what they take in, and the interests that they are put together from. */

import type { ContentTable } from '../data/contentTable.js'
import { binaryCrossEntropy } from '../losses/binary.js'
import { type Behaviors, segmentSoftmax, similarities, simTier, targetAttention } from '../nn/interest.js'
import { linear } from '../nn/layers.js'
import { type Dropout, mlpHead } from '../nn/mlp.js'
import type { Parameters } from '../nn/parameters.js'
import {
  add,
  cast,
  concat,
  div,
  exp,
  gather,
  greater,
  input,
  lookup,
  mul,
  relu,
  reshape,
  segmentSum,
  sub,
  type Tensor,
  variable,
} from '../ops/index.js'

export const modelNames = ['din', 'content', 'ciubm'] as const

export interface CtrModelConfig {
  name: (typeof modelNames)[number]
  /** Width of an id embedding. */
  dim: number
  attention: readonly number[]
  head: readonly number[]
  /** Width that content vectors are projected to. */
  contentDim: number
  simTier: boolean
  dropout: number
}

/** Features that have an embedding table each, with the tables' rows. */
export interface CtrFeatures {
  /** Of the impression alone: user, context. */
  impression: { name: string; size: number }[]
  /** Of an item, as target and in the history: its id, category, … */
  item: { name: string; size: number }[]
  /** The frozen table of content vectors; row 0 stands for "no vector". */
  content: Pick<ContentTable, 'rows' | 'width' | 'type' | 'scale'> | undefined
}

/** Names of a program's inputs for a feature. */
export const targetInput = (feature: string) => `target.${feature}`
export const historyInput = (feature: string) => `history.${feature}`

/** A look-up in an id table, kept so that its gradient can be asked for. */
export interface TableLookup {
  table: string
  ids: Tensor
  rows: Tensor
}

/** The tensors that a click model starts from. */
export class CtrInputs {
  readonly lookups: TableLookup[] = []
  /** int32 [N]: the impression that each behaviour belongs to. */
  readonly owner = input('owner', [-1], 'int32')

  constructor(
    private readonly features: CtrFeatures,
    private readonly dim: number,
  ) {}

  /** Embeddings of impression features and of the target: [B, D] each; of the history: [N, D]. */
  impression(): Tensor[] {
    return this.features.impression.map(({ name }) => this.embed(name, targetInput(name)))
  }

  target(): Tensor {
    return this.items(targetInput)
  }

  history(): Tensor {
    return this.items(historyInput)
  }

  /** Frozen content vectors with 1 or 0 for "has one": of targets [B, d] and [B], of behaviours [N, d] and [N]. */
  content() {
    const { width, scale } = this.features.content!
    const read = (name: string) => {
      const rows = input(name, [-1], 'int32')
      return { vectors: lookup(contentTable, width, rows, scale), present: cast(greater(rows, 0), 'float32') }
    }
    return { target: read(targetInput('content')), history: read(historyInput('content')) }
  }

  private items(inputName: (feature: string) => string): Tensor {
    return concat(
      this.features.item.map(({ name }) => this.embed(name, inputName(name))),
      1,
    )
  }

  private embed(feature: string, name: string): Tensor {
    const ids = input(name, [-1], 'int32')
    const rows = lookup(tableName(feature), this.dim, ids)
    this.lookups.push({ table: tableName(feature), ids, rows })
    return rows
  }
}

export const tableName = (feature: string) => `table.${feature}`
export const contentTable = 'content'

/**
 * The model that `config` names: the logits [B] of its branches. In CiUBM ids and content interest have a head
 * each; where one network reads both, ids fit the training clicks first and leave content little to explain
 * (on the market data that costs 0.01 AUC, and 0.02 on unseen items).
 */
export function ctrBranches(p: Parameters, inputs: CtrInputs, config: CtrModelConfig, drop: Dropout | undefined) {
  const head = (scope: Parameters, parts: Tensor[]) =>
    reshape(mlpHead(scope.scope('head'), concat(parts, 1), config.head, drop), [-1])
  const ids = () => head(p.scope('id'), idParts(p.scope('id'), inputs, config))
  const content = () => head(p.scope('content'), contentParts(p.scope('content'), inputs, config))
  return { din: () => [ids()], content: () => [content()], ciubm: () => [ids(), content()] }[config.name]()
}

/** Share of the first of two branches: a variable that is no parameter, chosen on the validation period. */
export const mixVariable = 'mix'

/** Logits [B] of one branch, or of two in the proportion of `mixVariable`. */
export function mixture(branches: readonly Tensor[]): Tensor {
  if (branches.length === 1) return branches[0]
  const [a, b] = branches
  return add(b, mul(sub(a, b), variable(mixVariable, [])))
}

/** Cross-entropy of the clicks under the plain mean of the branches, and `branchWeight` of it under each alone. */
export function ctrLoss(branches: readonly Tensor[], labels: Tensor, branchWeight: number): Tensor {
  if (branches.length === 1) return binaryCrossEntropy(branches[0], labels)
  const mean = mul(
    branches.reduce((a, b) => add(a, b)),
    1 / branches.length,
  )
  const alone = branches.map((logits) => binaryCrossEntropy(logits, labels)).reduce((a, b) => add(a, b))
  return add(binaryCrossEntropy(mean, labels), mul(alone, branchWeight))
}

/** ID interest: impression features, the target, and DIN's target attention over the history. */
function idParts(p: Parameters, inputs: CtrInputs, config: CtrModelConfig): Tensor[] {
  const behaviors: Behaviors = { history: inputs.history(), target: inputs.target(), owner: inputs.owner }
  const interest = targetAttention(p.scope('attention'), behaviors, config.attention)
  return [...inputs.impression(), behaviors.target, interest, mul(interest, behaviors.target)]
}

/**
 * Content interest (CiUBM, method section of the README): the projected target, the history under an
 * attention whose logit is a learned product of projections plus the cosine itself, SimTier, and the taste that a
 * network makes of the history's mean, as the user side of a two-tower model does.
 */
function contentParts(p: Parameters, inputs: CtrInputs, config: CtrModelConfig): Tensor[] {
  const { target, history } = inputs.content()
  const { owner } = inputs
  const width = config.contentDim
  const std = Math.sqrt(1 / target.vectors.shape[1])
  const project = (x: Tensor) => linear(p.scope('projection'), x, width, { std })
  const t = project(target.vectors) // [B, width]
  const h = project(history.vectors) // [N, width]
  const cosines = similarities({ history: history.vectors, target: target.vectors, owner }) // [N]
  const both = mul(history.present, gather(target.present, owner))
  const query = linear(p.scope('query'), t, width, { bias: false, std: Math.sqrt(1 / width) })
  const key = linear(p.scope('key'), h, width, { bias: false, std: Math.sqrt(1 / width) })
  const learned = mul(similarities({ history: key, target: query, owner }), 1 / Math.sqrt(width))
  // 1 / τ of the cosine, learned as a logarithm.
  const sharpness = exp(p.get('sharpness', [], { fill: Math.log(10) }))
  const weights = segmentSoftmax(add(learned, mul(cosines, sharpness)), owner, t, both)
  const interest = segmentSum(mul(reshape(weights, [-1, 1]), h), owner, t) // [B, width]
  const counts = segmentSum(reshape(both, [-1, 1]), owner, t) // [B, 1]
  const usual = div(segmentSum(mul(reshape(both, [-1, 1]), h), owner, t), add(counts, 1)) // [B, width]
  const hidden = relu(linear(p.scope('taste.0'), usual, width, { std: Math.sqrt(2 / width) }))
  const taste = linear(p.scope('taste.1'), hidden, width, { std: Math.sqrt(1 / width) })
  const tiers = config.simTier ? [simTier(cosines, both, owner, t)] : []
  return [t, interest, mul(t, interest), mul(t, taste), ...tiers, reshape(target.present, [-1, 1])]
}
