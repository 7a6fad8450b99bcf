import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { input, matmul, reshape, variable } from '../../src/ops/index.js'
import { exportOnnx } from '../../src/ops/onnx/index.js'
import { program } from '../../src/ops/program.js'
import { openModel } from '../../src/runtime/model.js'
import { temporaryFolder } from '../sample/folders.js'

const width = 32
const weights = Float32Array.from({ length: width * width }, (_, i) => Math.sin(i))
const x = { data: Float32Array.from({ length: 3 * width }, (_, i) => Math.cos(i)), shape: [3, width] }

/** A product and, after it, shapes that the file must say before it is run. */
async function outcome(folder: string, limit?: number) {
  const path = join(folder, `model-${limit}.onnx`)
  const product = matmul(input('x', [-1, width]), variable('w', [width, width]))
  const y = reshape(reshape(product, [-1, 4, width / 4]), [-1, width / 2])
  exportOnnx(path, program({ y }), () => weights, { limit })
  const model = await openModel(path, { provider: 'cpu' }, () => {})
  const results = await model.run({ x })
  await model.close()
  return { path, y: results['y'] }
}

test('when weights are too large for a model then they lie beside it, and it loads and gives the same', async () => {
  const folder = await temporaryFolder()
  const [whole, parted] = [await outcome(folder), await outcome(folder, 0)]
  assert.ok(!existsSync(`${whole.path}.data`))
  assert.equal(statSync(`${parted.path}.data`).size, weights.byteLength)
  assert.ok(statSync(parted.path).size < weights.byteLength)
  assert.deepEqual(parted.y, whole.y)
})
