import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sftConfig } from '../../src/config/sft.js'
import { ablationText, tableOf, variants } from '../../src/studies/ablation.js'

test('when parts are taken away then each row lacks one that is on, and nothing else changes', () => {
  const config = sftConfig.parse({
    positives: { sources: ['query-click', 'session'] },
    negatives: { hard: 0, mineEvery: 5 },
    levels: { text: 0, matryoshka: [16] },
  })
  const rows = variants(config, ['negatives', 'levels', 'positives'])
  assert.deepEqual(
    rows.map(({ row }) => row),
    [
      'everything',
      'without time negatives',
      'without mined negatives',
      'without log q correction',
      'without fused level',
      'without prefixes',
      'without image level',
      'without alignment',
      'without query-click',
      'without session',
    ],
  )
  const { negatives, levels, positives } = config
  assert.deepEqual(rows[0].config, config)
  assert.deepEqual(rows[1].config, { ...config, negatives: { ...negatives, queue: 0 } })
  assert.deepEqual(rows[7].config, { ...config, levels: { ...levels, alignment: 0 } })
  assert.deepEqual(rows[9].config, { ...config, positives: { ...positives, sources: ['query-click'] } })
})

test('when seeds are compared then effects are paired by seed, with the t interval of their mean', () => {
  const run = (before: number, after: number) => ({
    before_recall_10: 0,
    before_recall_10_query: before,
    after_recall_10: 0,
    after_recall_10_query: after,
  })
  const everything = [run(0.1, 0.3), run(0.2, 0.5), run(0.1, 0.4)]
  const without = [run(0.1, 0.2), run(0.2, 0.3), run(0.1, 0.1)]
  const table = tableOf(['everything', 'without x'], [everything, without])
  assert.equal(table.metric, 'recall_10_query')
  const [first, all, other] = table.rows
  const near = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}`)
  near(first.metrics['recall_10_query'].mean, 0.4 / 3)
  near(all.metrics['recall_10_query'].deviation, 0.1)
  assert.equal(all.effect, undefined)
  // Differences 0.1, 0.2, 0.3: 0.2 ± 4.303 · 0.1 / √3.
  const { difference, low, high, samples } = other.effect!
  near(difference, 0.2)
  near(low, 0.2 - (4.3026527 * 0.1) / Math.sqrt(3))
  near(high, 0.2 + (4.3026527 * 0.1) / Math.sqrt(3))
  assert.equal(samples, 3)
  assert.match(ablationText(table), /\| without x \| 3 \| .* \| \+0\.2000 \[−0\.0484, \+0\.4484\] \|/)
})
