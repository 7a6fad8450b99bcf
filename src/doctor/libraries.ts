/** Findings about native libraries. Each is tried in a separate process, which a bad binary may crash. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Finding, note, ok, problem } from './finding.js'
import type { Trials } from './trials.js'

/** Milliseconds after which a library counts as hung; the first start of CUDA may take most of a minute. */
const timeout = 120_000

type Name = keyof Trials
type Trial<K extends Name> = Awaited<ReturnType<Trials[K]>> | { failure: string }

export interface Libraries {
  /** Whether the engines work. */
  tensorflow: boolean
  wasm: boolean
  findings: Finding[]
}

/** Tries all libraries in parallel; `gpus` is the number of GPUs. */
export async function tryLibraries(gpus: number): Promise<Libraries> {
  const [tensorflow, wasm, onnx, webgpu, duckdb, sharp] = await Promise.all([
    trial('tensorflow'),
    trial('wasm'),
    trial('onnx'),
    trial('webgpu'),
    trial('duckdb'),
    trial('sharp'),
  ])
  return {
    tensorflow: !('failure' in tensorflow),
    wasm: !('failure' in wasm),
    findings: [
      ...tensorflowFindings(tensorflow, gpus),
      'failure' in wasm ? problem('wasm', wasm.failure, reinstall) : ok('wasm', wasm.description),
      ...onnxFindings(onnx, webgpu, gpus),
      'failure' in duckdb ? problem('duckdb', duckdb.failure, reinstall) : ok('duckdb', duckdb.version),
      ...pictureFindings(sharp),
    ],
  }
}

const reinstall = 'run npm ci; if that does not help, the package has no binary for this system'

function trial<K extends Name>(name: K): Promise<Trial<K>> {
  const program = fileURLToPath(new URL('./trials.js', import.meta.url))
  // The trial must not take GPU memory from a run.
  const env = { ...process.env, TF_FORCE_GPU_ALLOW_GROWTH: 'true' }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, name], { env, timeout }, (error, stdout, stderr) => {
      const end = error?.signal ?? (error ? `exit code ${error.code}` : undefined)
      const [reason] = stderr.trim().split('\n')
      if (end) resolve({ failure: `its process ended with ${end}${reason ? ` (${reason})` : ''}` })
      else resolve(JSON.parse(stdout.trim().split('\n').pop()!))
    })
  })
}

function tensorflowFindings(tensorflow: Trial<'tensorflow'>, gpus: number): Finding[] {
  if ('failure' in tensorflow) {
    const remedy = 'run bin/setup-tensorflow; it reports what is missing'
    return [problem('tensorflow', `does not load: ${tensorflow.failure}`, remedy)]
  }
  const { description, device, source, kernels } = tensorflow
  const binding = source ? `compiled with ${source}` : 'published binary of tfjs-node-gpu'
  const found = [ok('tensorflow', description), ok('binding', binding), gpuUse('tensorflow', device === 'gpu', gpus)]
  // The kernels run on the CPU only.
  if (device === 'gpu') return found
  const remedy =
    'install g++ and run bin/setup-tensorflow --rebuild; training with large embedding tables is then faster'
  return [...found, kernels ? ok('id kernels', 'compiled') : note('id kernels', 'not compiled', remedy)]
}

function gpuUse(library: string, usesGpu: boolean, gpus: number): Finding {
  const what = `${library} on gpu`
  if (usesGpu) return ok(what, 'yes')
  if (gpus === 0) return ok(what, 'no, there is no GPU')
  const hidden = process.env['CUDA_VISIBLE_DEVICES']
  if (hidden === '' || hidden === '-1') {
    return note(what, `no, CUDA_VISIBLE_DEVICES is '${hidden}'`, 'unset CUDA_VISIBLE_DEVICES to train on the GPU')
  }
  return problem(
    what,
    'no',
    'run bin/setup-tensorflow --rebuild, which installs TensorFlow with CUDA if there is a GPU',
  )
}

function onnxFindings(onnx: Trial<'onnx'>, webgpu: Trial<'webgpu'>, gpus: number): Finding[] {
  if ('failure' in onnx) return [problem('onnx runtime', onnx.failure, reinstall)]
  const { version, cpu, cuda } = onnx
  const web = 'failure' in webgpu ? webgpu.failure : ''
  const install =
    'for CUDA 12 run node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12, for ' +
    `CUDA 13 copy the libraries from the wheel onnxruntime-gpu==${version} (see Engines in README.md); until then mim ` +
    `embed runs ${web ? 'on the CPU' : 'by WebGPU'}`
  return [
    ok('onnx runtime', version),
    cpu ? problem('onnx cpu provider', cpu, reinstall) : ok('onnx cpu provider', 'loads'),
    gpuProvider('onnx cuda provider', cuda, gpus, install),
    gpuProvider('onnx webgpu provider', web, gpus, 'install libvulkan1 and the Vulkan driver of the GPU'),
  ]
}

/** `reason`: why the provider does not run a model; '' if it does. */
function gpuProvider(what: string, reason: string, gpus: number, remedy: string): Finding {
  if (!reason) return ok(what, 'loads')
  return gpus === 0 ? ok(what, 'no, there is no GPU') : note(what, reason, remedy)
}

function pictureFindings(sharp: Trial<'sharp'>): Finding[] {
  if ('failure' in sharp) return [problem('pictures', sharp.failure, reinstall)]
  const { version, vips, read, missing } = sharp
  const value = `sharp ${version}, libvips ${vips}: ${read.join(' ')}`
  if (missing.length === 0) return [ok('pictures', value)]
  const remedy = 'run npm ci to install the libvips of sharp; until then pictures of these formats count as broken'
  return [problem('pictures', `${value}, but not ${missing.join(' ')}`, remedy)]
}
