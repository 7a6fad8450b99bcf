import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sigmoidLoss } from '../../src/losses/sigmoid.js'
import { constant, input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

/** Rows of three numbers as unit vectors. */
const unit = (...rows: number[][]) => ({
  data: Float32Array.from(rows.flatMap((row) => row.map((x) => x / Math.hypot(...row)))),
  shape: [rows.length, 3],
})
const a = unit([1, 2, 3], [0, 1, -1], [2, 0, 1])
const b = unit([1, 1, 3], [1, 1, -1], [0, -2, 1])

await onEachEngine('sigmoid loss', (engine) => {
  // Values of PyTorch: -(logsigmoid(z * (10 * a @ b.T - 4)) * keep).sum() / 3.
  for (const [name, masked, expected] of [
    ['when pairs are judged then all of them count', [], 1.7303487],
    ['when two rows are alike then neither is wrong for the other', [2, 6], 0.79369],
  ] as const) {
    test(name, () => {
      const mask = new Float32Array(9)
      for (const place of masked) mask[place] = -1e9
      const loss = sigmoidLoss(
        input('a', [3, 3]),
        input('b', [3, 3]),
        constant(10, []),
        constant(-4, []),
        constant(mask, [3, 3]),
        3,
      )
      const session = engine.open({ loss: program({ loss }) }, [])
      const found = session.run('loss', { a, b })['loss'].data[0]
      session.dispose()
      assert.ok(Math.abs(found - expected) < 1e-5, `${found}`)
    })
  }
})
