import type { ContentTable } from '../../data/vectors/contentTable.js'
import { type Dropout, dropIds } from '../../nn/dropout.js'
import { ofOwners, similarities, sumByOwner } from '../../nn/interest.js'
import { add, cast, concat, constant, greater, input, lookup, mul, reshape, sum, type Tensor } from '../../ops/index.js'
import { unknownRow } from '../../ops/tableRows.js'

/** A feature that is looked up in an embedding table. */
export interface TableFeature {
  name: string
  /** Features may share a table. */
  table: string
  /** Number of rows of the table. */
  size: number
  /** Number of values per row; their embeddings are summed. Ids are int32 [n], or [n, values] if there are several. */
  values: number
  /** Whether a number, float32 [n] in the input `weightInput`, scales the embedding. */
  isWeighted: boolean
}

/** The features that a click model may read. */
export interface CtrFeatures {
  /** Of the impression: user, context. */
  impression: TableFeature[]
  /** Of an item, as target and in the history (id, category, …), and of a behavior (action, age). */
  item: TableFeature[]
  /** Whether impressions have weights, float32 [B] in the input `weightInput('label')`. */
  isWeighted?: boolean
  /** The frozen table of content vectors; row 0 means "no vector". */
  content: Pick<ContentTable, 'rows' | 'width' | 'type' | 'scale'> | undefined
}

/** Names of the inputs for a feature. */
export const targetInput = (feature: string) => `target.${feature}`
export const historyInput = (feature: string) => `history.${feature}`
export const weightInput = (input: string) => `${input}.weight`
/** Input of the vectors [n, d] themselves, instead of their table rows. */
export const vectorInput = (input: string) => `${input}.vectors`
/** float32 [B]: ln(1 + training impressions of the target). */
export const frequencyInput = targetInput('frequency')

/** Name of the variable of an embedding table. */
export const tableName = (table: string) => `table.${table}`
export const contentTable = 'content'

/** A lookup in an embedding table; its gradient is taken with respect to `rows`. */
export interface TableLookup {
  table: string
  ids: Tensor
  rows: Tensor
}

/** Vectors [n, d], and 1 if a row has one, else 0: [n]. */
export interface Vectors {
  vectors: Tensor
  present: Tensor
}

/** The tensors that a click model starts from. Each is built once and shared by the parts of the model. */
export class CtrInputs {
  readonly lookups: TableLookup[] = []
  /** int32 [N]: 1 + the impression of each behavior; 0 for padding, which is −1 in the input. */
  readonly owner = add(input('owner', [-1], 'int32'), constant(1, [], 'int32'))
  /** Attention weights [N] of behaviors, by the name of the part of the model. */
  readonly attention: Record<string, Tensor> = {}
  private readonly made = new Map<string, unknown>()

  /**
   * `dim`: width of an id embedding. `unknown`: share of ids that a training step replaces by the unknown id.
   * `givenVectors`: content vectors are the inputs `vectorInput` instead of rows of a table.
   */
  constructor(
    private readonly features: CtrFeatures,
    private readonly dim: number,
    private readonly options: { unknown?: Dropout; givenVectors?: boolean } = {},
  ) {}

  /** Embeddings of impression features: [B, D] each. */
  impression(): Tensor[] {
    return this.once('impression', () =>
      this.features.impression.map((feature) => this.embed(feature, targetInput(feature.name))),
    )
  }

  /** Embeddings of the target, all item features concatenated: [B, D]. */
  target(): Tensor {
    return this.once('target', () => this.items(targetInput))
  }

  /** The same for behaviors: [N, D]. */
  history(): Tensor {
    return this.once('history', () => this.items(historyInput))
  }

  /** Frozen content vectors of targets [B, d] and of behaviors [N, d]. */
  content(): { target: Vectors; history: Vectors } {
    return this.once('content', () => ({ target: this.vectors(targetInput), history: this.vectors(historyInput) }))
  }

  /** Cosines of behaviors and their targets [N], 0 if a vector is missing; `both` is 1 if both have one, else 0 [N]. */
  relevance(): { cosines: Tensor; both: Tensor } {
    return this.once('relevance', () => {
      const { target, history } = this.content()
      const { owner } = this
      const cosines = similarities({ history: history.vectors, target: target.vectors, owner })
      return { cosines, both: mul(history.present, ofOwners(target.present, owner)) }
    })
  }

  /** ln(1 + training impressions of the target) [B, 1]. */
  frequency(): Tensor {
    return this.once('frequency', () => reshape(input(frequencyInput, [-1]), [-1, 1]))
  }

  /** 1 for impressions without behaviors, else 0: [B, 1]. `like` has B rows. */
  isEmpty(like: Tensor): Tensor {
    return this.once('empty', () => {
      const one = cast(greater(this.owner, 0), 'float32')
      return cast(greater(1, sumByOwner(reshape(one, [-1, 1]), this.owner, like)), 'float32')
    })
  }

  private once<T>(name: string, make: () => T): T {
    if (!this.made.has(name)) this.made.set(name, make())
    return this.made.get(name) as T
  }

  private vectors(inputName: (feature: string) => string): Vectors {
    const { width, scale } = this.features.content!
    const name = inputName('content')
    const rows = input(name, [-1], 'int32')
    const present = cast(greater(rows, 0), 'float32')
    if (this.options.givenVectors) return { vectors: input(vectorInput(name), [-1, width]), present }
    return { vectors: lookup(contentTable, width, rows, scale), present }
  }

  private items(inputName: (feature: string) => string): Tensor {
    return concat(
      this.features.item.map((feature) => this.embed(feature, inputName(feature.name))),
      1,
    )
  }

  private embed({ table, values, isWeighted }: TableFeature, name: string): Tensor {
    const isPlain = values === 1 && !isWeighted
    const given = input(name, values > 1 ? [-1, values] : [-1], 'int32')
    const ids = isPlain ? dropIds(given, unknownRow, this.options.unknown, name) : given
    const rows = lookup(tableName(table), this.dim, ids)
    this.lookups.push({ table: tableName(table), ids, rows })
    if (isWeighted) return mul(rows, reshape(input(weightInput(name), [-1]), [-1, 1]))
    return values > 1 ? sum(rows, 1) : rows
  }
}
