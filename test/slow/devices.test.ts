import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEngine } from '../../src/engine/index.js'
import { mim } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const { pretrain } = smallStages(folder)
const short = [...pretrain, '--epochs', '0.2']
const out = (name: string) => ['--out', join(folder, name)]

// Whether TensorFlow is installed or not, GPU or not, the tests make the case that they are about.
const noGpu = { CUDA_VISIBLE_DEVICES: '' }
const refuse = `import Module from 'node:module'
const load = Module._load
Module._load = (name, ...rest) => {
  if (name.startsWith('@tensorflow/tfjs-node')) throw new Error('no TensorFlow today')
  return load(name, ...rest)
}`
const noTensorFlow = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(refuse)}` }

/** Why TensorFlow cannot be tried, or false. */
const tensorFlowMissing = await openEngine({ engine: 'tensorflow', device: 'cpu' }, () => {}).then(
  () => false,
  (error: Error) => error.message,
)

const engineLines = (stderr: string) => stderr.split('\n').filter((line) => line.startsWith('engine: '))

test('when --device gpu is asked for and there is none then the run ends with 2, says so and leaves nothing', async () => {
  const engines = tensorFlowMissing ? ['wasm'] : ['wasm', 'tensorflow']
  for (const engine of engines) {
    const { code, stdout, stderr } = await mim([...short, '--engine', engine, '--device', 'gpu', ...out('gpu')], noGpu)
    assert.deepEqual([code, stdout, existsSync(join(folder, 'gpu'))], [2, '', false])
    assert.match(
      stderr,
      new RegExp(`error \\[gpu-missing\\]: --device gpu, but ${engine} finds no GPU; .*--device auto\n$`),
    )
  }
})

test('when an engine is unknown then the run ends with 2 and names the ones there are, and where it was named', async () => {
  const byFlag = await mim([...short, '--engine', 'jax', ...out('jax')])
  assert.equal(byFlag.code, 2)
  assert.match(byFlag.stderr, /error \[config\]: --engine jax: expected .*auto.*tensorflow.*wasm/)
  const byVariable = await mim([...short, ...out('jax')], { MIM_ENGINE: 'jax' })
  assert.equal(byVariable.code, 2)
  assert.match(byVariable.stderr, /error \[engine-name\]: MIM_ENGINE: 'jax'; expected auto, tensorflow, wasm\n$/)
  assert.equal(existsSync(join(folder, 'jax')), false)
})

test('when auto finds TensorFlow without a GPU then one line says engine, device and why', {
  skip: tensorFlowMissing,
}, async () => {
  // An empty variable counts as none.
  const { code, stderr } = await mim([...short, ...out('auto')], { ...noGpu, MIM_ENGINE: '' })
  assert.equal(code, 0, stderr)
  const lines = engineLines(stderr)
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^engine: tensorflow [\d.]+ on cpu \(no GPU found\)$/)
})

test('when TensorFlow does not load then auto takes WASM and says why, and --engine tensorflow ends with 2', async () => {
  const auto = await mim([...short, ...out('fallback')], noTensorFlow)
  assert.equal(auto.code, 0, auto.stderr)
  const lines = engineLines(auto.stderr)
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^engine: wasm .*\(tensorflow does not load: no TensorFlow today\)$/)
  const asked = await mim([...short, '--engine', 'tensorflow', ...out('asked')], noTensorFlow)
  assert.equal(asked.code, 2)
  assert.match(asked.stderr, /error \[engine-missing\]: .*no TensorFlow today; .*--engine wasm\n$/)
})

test('when the environment names an engine and the flag another then the flag counts', async () => {
  const { code, stderr } = await mim([...short, '--engine', 'wasm', ...out('both')], { MIM_ENGINE: 'tensorflow' })
  assert.equal(code, 0, stderr)
  assert.match(engineLines(stderr)[0], /^engine: wasm .*\(as asked\)$/)
})
