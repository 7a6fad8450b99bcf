/** What is in a table of vectors, and what is odd about them: vectors of zeros, of one content, of several lengths. */
import { normOf } from '../../store/index.js'
import type { DataFacts } from '../facts.js'
import type { Numbers, VectorSource, VectorTable } from './sources.js'

/** Norms of unit vectors in int8 differ from 1 by less than this. */
const tolerance = 0.05

/** Looks at every vector that a model reads. */
export class VectorFacts {
  private count = 0
  private zeros = 0
  private readonly norms = { least: Number.POSITIVE_INFINITY, greatest: 0 }
  private first: Numbers | undefined
  private isOne = true

  /** @param isScaled whether the vectors are scaled to unit norm before anything uses them. */
  constructor(private readonly isScaled: boolean) {}

  /** Takes a vector in stored numbers, which `scale` turns into the vector. */
  add(vector: Numbers, scale: number): void {
    this.count++
    const norm = scale * normOf(vector, 0, vector.length)
    if (norm === 0) {
      this.zeros++
      return
    }
    this.norms.least = Math.min(this.norms.least, norm)
    this.norms.greatest = Math.max(this.norms.greatest, norm)
    this.first ??= vector.slice()
    const { first } = this
    if (this.isOne) this.isOne = vector.every((x, i) => x === first[i])
  }

  /** Adds the table, the share of vectors that are read, and the warnings to `facts`. */
  report({ path, item, embedding }: VectorTable, { width, rows, others }: VectorSource, facts: DataFacts): void {
    const { count, zeros, norms } = this
    const norm = count > zeros ? { norms: [norms.least, norms.greatest] as const } : {}
    facts.tables.push({ table: 'vectors', path, rows, width, ...norm, used: [item, embedding], unused: [...others] })
    facts.joins.push({ join: 'vectors → items', matched: count, of: rows })
    const where = `${path}: column '${embedding}'`
    if (zeros > 0) {
      const what = `${zeros} of ${count} vectors are zero: similar to nothing`
      facts.warn({ id: 'vector-zero', where, what, remedy: 'write null for an item without a vector' })
    }
    if (this.isOne && count - zeros > 1) {
      const what = `all ${count - zeros} vectors are the same: every item is similar to every other`
      facts.warn({ id: 'vector-same', where, what, remedy: 'write the table again' })
    }
    const isUnit = norms.least >= 1 - tolerance && norms.greatest <= 1 + tolerance
    if (this.isScaled || isUnit || count === zeros) return
    const span = [norms.least, norms.greatest].map((x) => Number(x.toPrecision(3)))
    const what = `vectors have lengths from ${span.join(' to ')}: their products are not cosines, which are at most 1`
    facts.warn({ id: 'vector-norms', where, what, remedy: 'set data.normalize: true, unless lengths have a meaning' })
  }
}
