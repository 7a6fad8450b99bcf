import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Range } from '../../src/config/tune.js'
import { drawAnywhere, drawLikely, type Observed, type Values } from '../../src/studies/sampler.js'

const ranges: Record<string, Range> = {
  rate: { log: [1e-5, 1] },
  share: { uniform: [-2, 2] },
  layers: { int: [1, 5] },
  kind: { choice: ['a', 'b', 'c'] },
}

test('when values are drawn then they lie in their ranges and reach both ends', () => {
  const drawn = Array.from({ length: 400 }, (_, i) => drawAnywhere(ranges, Random.of('anywhere', i)))
  const of = (path: string) => drawn.map((values) => values[path] as number)
  assert.ok(of('rate').every((x) => x >= 1e-5 && x <= 1))
  assert.ok(of('rate').filter((x) => x < 1e-3).length > 120, 'orders of magnitude are even')
  assert.ok(of('share').every((x) => x >= -2 && x <= 2))
  assert.deepEqual([...new Set(of('layers'))].sort(), [1, 2, 3, 4, 5])
  assert.deepEqual([...new Set(of('kind'))].sort(), ['a', 'b', 'c'])
})

/** Best at rate 0.01, share 1, 2 layers and kind b. */
const lossOf = ({ rate, share, layers, kind }: Values) =>
  (Math.log10(rate as number) + 2) ** 2 +
  ((share as number) - 1) ** 2 +
  ((layers as number) - 2) ** 2 / 4 +
  (kind === 'b' ? 0 : 1)

test('when trials have results then the next ones come nearer to the optimum than random ones', () => {
  const best = (likely: boolean, seed: number) => {
    const seen: Observed[] = []
    for (let trial = 0; trial < 50; trial++) {
      const random = Random.of('tune', seed, trial)
      const values = likely && trial >= 8 ? drawLikely(ranges, seen, random) : drawAnywhere(ranges, random)
      // A failed trial is the worst, wherever it was.
      seen.push({ values, loss: trial % 7 === 6 ? Number.POSITIVE_INFINITY : lossOf(values) })
    }
    return Math.min(...seen.map(({ loss }) => loss))
  }
  const seeds = [1, 2, 3, 4, 5, 6]
  const mean = (likely: boolean) => seeds.reduce((sum, seed) => sum + best(likely, seed), 0) / seeds.length
  assert.ok(mean(true) < mean(false) / 2, `${mean(true)} and ${mean(false)}`)
})
