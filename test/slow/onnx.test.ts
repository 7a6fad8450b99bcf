/** The exported graphs as ONNX Runtime and ONNX's own checker see them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'
import { pythonWith, root } from '../fixtures.js'

const folder = await workplace()
const { pretrain, embed, ctr } = smallStages(folder)
const checker = pythonWith('onnx')
const out = (name: string) => join(folder, name)
const models = { din: [], ciubm: ['--embeddings', out('embed')] }

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', out('pretrain')])
  await mimJson([...embed, '--checkpoint', out('pretrain'), '--out', out('embed')])
  for (const [model, more] of Object.entries(models)) {
    await mimJson([...ctr, '--engine', 'wasm', '--epochs', '1', '--model', model, ...more, '--out', out(model)])
  }
})

const graphs = () =>
  ['embed', ...Object.keys(models)].flatMap((name) => {
    const at = join(out(name), 'onnx')
    return readdirSync(at).flatMap((file) => (file.endsWith('.onnx') ? [join(at, file)] : []))
  })

/** Opens graphs, runs each on zeros of 1 and of 3 rows, and prints how many; whatever is amiss ONNX Runtime prints. */
const open = `
import { env, InferenceSession, Tensor } from 'onnxruntime-node'
env.logLevel = 'warning'
const arrays = { int64: BigInt64Array, int32: Int32Array, float32: Float32Array }
const paths = process.argv.slice(1)
for (const path of paths) {
  const session = await InferenceSession.create(path, { logSeverityLevel: 2, executionProviders: ['cpu'] })
  for (const rows of [1, 3]) {
    const zeros = session.inputMetadata.map(({ name, type, shape }) => {
      const dims = shape.map((n) => (typeof n === 'number' && n > 0 ? n : rows))
      return [name, new Tensor(type, new arrays[type](dims.reduce((a, b) => a * b, 1)), dims)]
    })
    await session.run(Object.fromEntries(zeros))
  }
  await session.release()
}
console.log(paths.length)`

test('when exported graphs are opened and run then ONNX Runtime has nothing to warn of', () => {
  const paths = graphs()
  assert.deepEqual(paths.length, 3 + Object.keys(models).length)
  const args = ['--input-type=module', '--eval', open, ...paths]
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  assert.deepEqual([stdout.trim(), stderr], [String(paths.length), ''])
})

test("when exported graphs are checked then ONNX's own checker passes each", { skip: checker.skip }, () => {
  const script = `import onnx, sys
for path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)
print(len(sys.argv) - 1)`
  assert.equal(Number(checker.run(script, ...graphs())), graphs().length)
})
