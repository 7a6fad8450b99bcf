import { sortedByClass } from './auc.js'
import { checkScored, type Labels, type Scores } from './columns.js'

/** Counts by distinct score, ascending: how many positives and negatives have it. Never written to once made. */
interface Run {
  scores: Float32Array
  positives: Float64Array
  negatives: Float64Array
}

/**
 * Exact AUC of rows that arrive in chunks and need not fit into memory together: what is kept is one
 * count of positives and negatives per *distinct* float32 score, 20 bytes each (a few times that while
 * chunks are merged), however many rows there are. Chunks may have any size, zero included.
 *
 * Runs are kept as a stack in which each is more than twice as long as the next, so that every
 * score is merged O(log n) times.
 */
export class AucAccumulator {
  private runs: Run[] = []
  private added = 0

  /** Rows added so far. */
  get rows(): number {
    return this.added
  }

  /** Adds rows: `labels` [m] of 0/1 and `scores` [m]. Throws on NaN, told by its row among all added. */
  add(labels: Labels, scores: Float32Array): void {
    checkScored(labels, scores, this.added)
    this.added += scores.length
    const { positives, negatives } = sortedByClass(labels, scores)
    this.push(mergeRuns(runOf(positives, 'positives'), runOf(negatives, 'negatives')))
  }

  /** Adds all rows of another accumulator (of another thread or part of the data), which stays as it is. */
  merge(other: AucAccumulator): void {
    const { runs, added } = other // taken first: `other` may be this one
    this.added += added
    for (const run of [...runs]) this.push(run)
  }

  /** As `auc` of all rows added: NaN until both classes were seen. More rows may be added afterwards. */
  value(): number {
    this.runs = this.runs.length > 0 ? [this.runs.reduceRight(mergeRuns)] : []
    let pairsWon = 0
    let positives = 0
    let negatives = 0
    for (const run of this.runs) {
      for (let i = 0; i < run.scores.length; i++) {
        pairsWon += run.positives[i] * (negatives + run.negatives[i] / 2)
        positives += run.positives[i]
        negatives += run.negatives[i]
      }
    }
    return pairsWon / (positives * negatives)
  }

  private push(run: Run): void {
    let last = run
    while (this.runs.length > 0 && this.runs[this.runs.length - 1].scores.length <= 2 * last.scores.length) {
      last = mergeRuns(this.runs.pop()!, last)
    }
    this.runs.push(last)
  }
}

/** Ascending scores of one class, repeats counted. */
function runOf(sorted: Scores, label: 'positives' | 'negatives'): Run {
  const run = emptyRun(sorted.length)
  let length = 0
  for (let i = 0; i < sorted.length; i++) {
    if (length === 0 || sorted[i] !== run.scores[length - 1]) run.scores[length++] = sorted[i]
    run[label][length - 1]++
  }
  return cut(run, length)
}

/** Two runs as one; the counts of a score that both have are added. */
function mergeRuns(a: Run, b: Run): Run {
  const n = a.scores.length
  const m = b.scores.length
  const out = emptyRun(n + m)
  let length = 0
  for (let i = 0, j = 0; i < n || j < m; length++) {
    const takeA = j === m || (i < n && a.scores[i] <= b.scores[j])
    const takeB = i === n || (j < m && b.scores[j] <= a.scores[i])
    out.scores[length] = takeA ? a.scores[i] : b.scores[j]
    if (takeA) {
      out.positives[length] += a.positives[i]
      out.negatives[length] += a.negatives[i++]
    }
    if (takeB) {
      out.positives[length] += b.positives[j]
      out.negatives[length] += b.negatives[j++]
    }
  }
  return cut(out, length)
}

function emptyRun(length: number): Run {
  return {
    scores: new Float32Array(length),
    positives: new Float64Array(length),
    negatives: new Float64Array(length),
  }
}

/** Copies, so that the room that was not needed can be freed. */
function cut({ scores, positives, negatives }: Run, length: number): Run {
  if (length === scores.length) return { scores, positives, negatives }
  return {
    scores: scores.slice(0, length),
    positives: positives.slice(0, length),
    negatives: negatives.slice(0, length),
  }
}
