/** Opens ONNX models with the best available execution provider. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { messageOf, UserError } from '../base/errors.js'
import type { Shape, TypedArray } from '../ops/index.js'
import { InferenceSession, Tensor } from './onnxRuntime.js'

/** In the order in which `auto` tries them. */
const providers = ['cuda', 'webgpu', 'cpu'] as const
type Provider = (typeof providers)[number]

export const providerNames = ['auto', ...providers] as const

export interface ModelOptions {
  provider: (typeof providerNames)[number]
  /** Threads of the CPU provider; 0: one per core. */
  threads?: number
}

/** Tensors by name. */
export type Named = Record<string, { data: TypedArray; shape: Shape }>

export interface Model {
  readonly provider: Provider
  /** Runs the model; int32 inputs are converted to int64, which the graphs declare. */
  run(inputs: Named): Promise<Named>
  close(): Promise<void>
}

/**
 * Opens a model from its file. `auto` tries CUDA, WebGPU, then the CPU, and reports to `say` why it skips one.
 * @throws UserError `provider-missing` where a provider given by name does not start; `model-broken`.
 */
export async function openModel(path: string, options: ModelOptions, say: (line: string) => void): Promise<Model> {
  const wanted = options.provider === 'auto' ? providers : [options.provider]
  for (const provider of wanted) {
    try {
      if (provider === 'cuda') checkCuda()
      if (provider === 'webgpu') checkGpu()
      const session = await InferenceSession.create(path, {
        executionProviders: [provider],
        intraOpNumThreads: options.threads ?? 0,
        logSeverityLevel: 3,
        // Spinning threads would slow down the decoding of pictures.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      })
      return wrap(session, provider)
    } catch (error) {
      const reason = messageOf(error).split('\n')[0]
      if (provider === 'cpu') {
        const remedy = 'remove its folder: the model is exported again'
        throw new UserError({ id: 'model-broken', where: path, what: `ONNX Runtime cannot open it: ${reason}`, remedy })
      }
      if (options.provider === provider) {
        const remedy = 'see mim doctor, or use --provider cpu'
        throw new UserError({
          id: 'provider-missing',
          what: `provider '${provider}' does not start: ${reason}`,
          remedy,
        })
      }
      say(`${provider} provider skipped: ${reason}`)
    }
  }
  throw new Error('no provider was tried')
}

/** The CUDA provider is a separate library. This check avoids messages that ONNX Runtime prints if it is missing. */
function checkCuda(): void {
  const name = 'libonnxruntime_providers_cuda.so'
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const place = join(folder, 'bin/napi-v6', process.platform, process.arch)
  if (!existsSync(join(place, name))) throw new Error(`${name} is not installed in ${place}`)
}

/** Avoids messages that WebGPU prints about drivers if there is no device. */
function checkGpu(): void {
  if (process.platform !== 'linux') return
  const places = ['/dev/dri', '/dev/nvidia0', '/dev/dxg']
  if (!places.some((place) => existsSync(place))) throw new Error(`no GPU device, i.e. none of ${places.join(', ')}`)
}

function wrap(session: InferenceSession, provider: Model['provider']): Model {
  return {
    provider,
    async run(inputs) {
      const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [name, toTensor(data, shape)] as const)
      const results = await session.run(Object.fromEntries(feeds))
      const values = Object.entries(results).map(
        ([name, t]) => [name, { data: t.data as TypedArray, shape: t.dims }] as const,
      )
      return Object.fromEntries(values)
    },
    close: () => session.release(),
  }
}

function toTensor(data: TypedArray, shape: Shape): Tensor {
  if (data instanceof Int32Array) return new Tensor('int64', BigInt64Array.from(data, BigInt), shape)
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('bool', data, shape)
}
