import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Finding } from '../../src/doctor/finding.js'
import { root } from '../fixtures.js'

const scratch = mkdtempSync(join(tmpdir(), 'mim-doctor-test-'))
after(() => rmSync(scratch, { recursive: true }))

function doctor(args: string[], env: Record<string, string> = {}, home = root) {
  const { MIM_ENGINE: _, ...clean } = process.env
  const options = { encoding: 'utf8', env: { ...clean, ...env }, cwd: scratch } as const
  const { status, stdout } = spawnSync(process.execPath, [join(home, 'bin/mim'), 'doctor', ...args], options)
  return { status, stdout }
}

function examine(env: Record<string, string> = {}, home = root) {
  const { status, stdout } = doctor(['--json'], env, home)
  const { works, findings } = JSON.parse(stdout) as { works: boolean; findings: Finding[] }
  const find = (what: string) => findings.find((finding) => finding.what === what)
  return { status, works, findings, find }
}

/** A copy of mim in which the packages of TensorFlow that `broken` names hold the code given there instead. */
function brokenMim(broken: Record<string, string>): string {
  const home = mkdtempSync(join(scratch, 'mim-'))
  for (const part of ['bin', 'dist/src', 'package.json'])
    cpSync(join(root, part), join(home, part), { recursive: true })
  const link = (folder: string, except: string[]) => {
    mkdirSync(join(home, folder))
    for (const name of readdirSync(join(root, folder))) {
      if (!except.includes(name)) symlinkSync(join(root, folder, name), join(home, folder, name))
    }
  }
  link('node_modules', ['@tensorflow'])
  link('node_modules/@tensorflow', Object.keys(broken))
  for (const [name, code] of Object.entries(broken)) {
    const folder = join(home, 'node_modules/@tensorflow', name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `@tensorflow/${name}`, main: 'index.js' }))
    writeFileSync(join(folder, 'index.js'), code)
  }
  return home
}

test('when mim doctor runs then one screen names all parts, and each line that is not ok has a remedy', () => {
  const { status, stdout } = doctor([])
  assert.equal(status, 0)
  const parts = ['node', 'engine', 'tensorflow', 'wasm', 'onnx runtime', 'duckdb', 'pictures', 'gpu', 'cores', 'memory']
  for (const part of [...parts, 'disk of runs', 'temporary disk', 'cache']) {
    assert.match(stdout, new RegExp(`^(ok|note|problem) +${part}  `, 'm'))
  }
  const lines = stdout.trimEnd().split('\n')
  for (const [i, line] of lines.entries()) {
    if (/^(note|problem)/.test(line)) assert.match(lines[i + 1], /^ +→ /)
  }
  assert.match(stdout, /JPEG PNG WEBP AVIF GIF/)
})

test('when MIM_ENGINE says wasm then that is the engine; when it says nonsense then there is a problem', () => {
  assert.match(examine({ MIM_ENGINE: 'wasm' }).find('engine')!.value, /^wasm/)
  const { find, status } = examine({ MIM_ENGINE: 'torch' })
  assert.equal(status, 0)
  assert.equal(find('engine')!.mark, 'problem')
  assert.match(find('engine')!.value, /'torch'/)
})

test('when the binding of tensorflow does not load then wasm is used and there is a remedy', () => {
  const message = 'libtensorflow_cc.so.2: cannot open shared object file'
  const home = brokenMim({ 'tfjs-node-gpu': `throw new Error('${message}')` })
  const { status, works, find } = examine({}, home)
  assert.deepEqual({ status, works }, { status: 0, works: true })
  assert.equal(find('tensorflow')!.mark, 'problem')
  assert.ok(find('tensorflow')!.value.includes(message))
  assert.match(find('tensorflow')!.remedy!, /setup-tensorflow/)
  assert.match(find('engine')!.value, /wasm/)
  assert.equal(find('duckdb')!.mark, 'ok')
})

test('when no engine works, one because it kills its process, then the other findings are printed and the exit code is 1', () => {
  const home = brokenMim({
    'tfjs-node-gpu': `process.kill(process.pid, 'SIGSEGV')`,
    'tfjs-backend-wasm': `throw new Error('no WebAssembly')`,
  })
  const { status, works, find } = examine({}, home)
  assert.deepEqual({ status, works }, { status: 1, works: false })
  assert.match(find('tensorflow')!.value, /SIGSEGV/)
  assert.match(find('wasm')!.value, /no WebAssembly/)
  assert.equal(find('engine')!.mark, 'problem')
  assert.equal(find('pictures')!.mark, 'ok')
})

test('when TensorFlow runs on a CPU then a finding says whether our own operations were compiled', (t) => {
  const { find } = examine()
  if (find('tensorflow')!.mark !== 'ok' || find('tensorflow on gpu')!.value === 'yes')
    return t.skip('no such TensorFlow')
  const file = join(root, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/mim_kernels.node')
  assert.equal(find('id kernels')!.mark, existsSync(file) ? 'ok' : 'note')
})

test('when there is a GPU that the libraries do not use then each says so with a remedy', (t) => {
  const tools = join(scratch, 'tools')
  mkdirSync(tools)
  writeFileSync(join(tools, 'nvidia-smi'), '#!/bin/sh\necho "NVIDIA Test, 8192, 4096, 555.42"\n')
  chmodSync(join(tools, 'nvidia-smi'), 0o755)
  const { find } = examine({ PATH: `${tools}:${process.env['PATH']}`, CUDA_VISIBLE_DEVICES: '' })
  assert.equal(find('gpu')!.value, 'NVIDIA Test, 8.0 GiB, 4.0 GiB free, driver 555.42')
  assert.equal(find('onnx cuda provider')!.mark, 'note')
  const webgpu = find('onnx webgpu provider')!
  if (webgpu.mark !== 'ok') assert.match(webgpu.remedy!, /Vulkan/)
  assert.match(find('onnx cuda provider')!.remedy!, webgpu.mark === 'ok' ? /by WebGPU/ : /on the CPU/)
  if (find('tensorflow')!.mark !== 'ok') return t.skip(`tensorflow ${find('tensorflow')!.value}`)
  assert.equal(find('tensorflow on gpu')!.mark, 'note')
  assert.match(find('tensorflow on gpu')!.remedy!, /CUDA_VISIBLE_DEVICES/)
})
