/** Samples the values of a trial: uniformly, or by the results of earlier trials (TPE). */

import type { Random } from '../base/random.js'
import type { Range } from '../config/tune.js'

/** Values of options by path. */
export type Values = Record<string, unknown>

/** A finished trial; lower loss is better, Infinity if the trial failed. */
export interface Observed {
  values: Values
  loss: number
}

/** Samples all ranges uniformly. */
export function drawAnywhere(ranges: Readonly<Record<string, Range>>, random: Random): Values {
  return mapRanges(ranges, (range) => place(range, random.uniform()))
}

/** Candidates per option, of which the best is taken. */
const candidates = 24
/** Share of the trials that count as good. */
const goodShare = 0.1
/** Smallest standard deviation of the kernel around a point. */
const narrowest = 0.05

/**
 * Values by the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"):
 * for each option, the candidate with the highest ratio of the density of good trials to the density of the others.
 */
export function drawLikely(ranges: Readonly<Record<string, Range>>, seen: readonly Observed[], random: Random): Values {
  const ordered = [...seen].sort((a, b) => a.loss - b.loss)
  const good = Math.ceil(goodShare * ordered.length)
  return mapRanges(ranges, (range, path) => {
    const points = ordered.map(({ values }) => position(range, values[path]))
    const [near, far] = [density(range, points.slice(0, good)), density(range, points.slice(good))]
    let best = { at: 0, ratio: Number.NEGATIVE_INFINITY }
    for (let i = 0; i < candidates; i++) {
      const at = near.draw(random)
      const ratio = near.of(at) / far.of(at)
      if (ratio > best.ratio) best = { at, ratio }
    }
    return place(range, best.at)
  })
}

function mapRanges(ranges: Readonly<Record<string, Range>>, value: (range: Range, path: string) => unknown): Values {
  return Object.fromEntries(Object.entries(ranges).map(([path, range]) => [path, value(range, path)]))
}

/** The value of a range at a position in [0, 1). */
function place(range: Range, at: number): unknown {
  if ('choice' in range) return range.choice[Math.min(range.choice.length - 1, Math.floor(at * range.choice.length))]
  if ('log' in range) return Math.exp(between(range.log.map(Math.log), at))
  if ('uniform' in range) return between(range.uniform, at)
  const [low, high] = range.int
  return Math.min(high, Math.floor(between([low, high + 1], at)))
}

const between = ([low, high]: readonly number[], at: number) => low + (high - low) * at

/** Position of a value in [0, 1): the middle of its interval for choices and whole numbers. */
function position(range: Range, value: unknown): number {
  if ('choice' in range) {
    const found = range.choice.findIndex((choice) => JSON.stringify(choice) === JSON.stringify(value))
    return (found + 0.5) / range.choice.length
  }
  const number = Number(value)
  if ('log' in range) return within(range.log.map(Math.log), Math.log(number))
  if ('uniform' in range) return within(range.uniform, number)
  return within([range.int[0], range.int[1] + 1], number + 0.5)
}

const within = ([low, high]: readonly number[], x: number) => (x - low) / (high - low)

/** A distribution over [0, 1): kernels around points, mixed with a uniform distribution of the weight of one point. */
interface Density {
  of(at: number): number
  draw(random: Random): number
}

function density(range: Range, points: readonly number[]): Density {
  const total = points.length + 1
  if ('choice' in range) {
    // Choices have no order, so a point counts for its own choice only.
    const parts = range.choice.length
    const part = (at: number) => Math.min(parts - 1, Math.floor(at * parts))
    const share = (at: number) => points.filter((point) => part(point) === part(at)).length
    return {
      of: (at) => (share(at) * parts + 1) / total,
      draw: (random) => points[random.int(total)] ?? random.uniform(),
    }
  }
  // The kernel of a point reaches about to the next point.
  const width = Math.max(1 / (1 + points.length), narrowest)
  const kernel = (at: number, point: number) =>
    Math.exp(-0.5 * ((at - point) / width) ** 2) / (width * Math.sqrt(2 * Math.PI))
  return {
    of: (at) => (points.reduce((sum, point) => sum + kernel(at, point), 0) + 1) / total,
    draw: (random) => {
      const point = points[random.int(total)]
      if (point === undefined) return random.uniform()
      const drawn = point + random.normal() * width
      return drawn >= 0 && drawn < 1 ? drawn : random.uniform()
    },
  }
}
