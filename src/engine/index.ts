import { messageOf, UserError } from '../base/errors.js'
import type { Engine } from './session.js'

export type { Engine, Session, Value, VariableSpec } from './session.js'

export const engineNames = ['auto', 'tensorflow', 'wasm'] as const
export const deviceNames = ['auto', 'cpu', 'gpu'] as const

export interface EngineChoice {
  engine: (typeof engineNames)[number]
  device: (typeof deviceNames)[number]
}

/**
 * Opens the requested engine; `auto` takes TensorFlow if it loads, else WASM.
 * `say` gets one line with the engine and why it was chosen.
 * @throws UserError `engine-missing` or `gpu-missing` if an engine or device requested by name is not available.
 */
export async function openEngine({ engine, device }: EngineChoice, say: (line: string) => void): Promise<Engine> {
  const opened = await load(engine, device)
  say(`engine: ${opened.engine.description}${opened.why ? ` (${opened.why})` : ''}`)
  if (device === 'gpu' && opened.engine.device !== 'gpu') {
    throw new UserError({
      id: 'gpu-missing',
      what: `--device gpu, but ${opened.engine.name} finds no GPU`,
      remedy: 'run `mim doctor` to see what is missing, or use --device auto',
    })
  }
  return opened.engine
}

async function load(name: EngineChoice['engine'], device: EngineChoice['device']) {
  if (name === 'wasm') return { engine: await loadWasm(), why: 'as asked' }
  // TensorFlow chooses its device when it loads; hidden GPUs make it stay on the CPU.
  if (device === 'cpu') {
    process.env['CUDA_VISIBLE_DEVICES'] = ''
    // TensorFlow with CUDA logs an error if it finds no GPU; failures of a run are thrown whatever the log level.
    process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3'
  }
  try {
    const { loadTensorFlow } = await import('./tensorflow.js')
    const engine = loadTensorFlow()
    const why = engine.device === 'gpu' ? '' : device === 'cpu' ? 'CPU as asked' : 'no GPU found'
    return { engine, why }
  } catch (error) {
    const reason = messageOf(error).split('\n')[0].trim()
    if (name === 'tensorflow') {
      throw new UserError({
        id: 'engine-missing',
        what: `engine 'tensorflow' does not load: ${reason}`,
        remedy: 'run bin/setup-tensorflow, or use --engine wasm',
      })
    }
    return { engine: await loadWasm(), why: `tensorflow does not load: ${reason}` }
  }
}

async function loadWasm(): Promise<Engine> {
  const wasm = await import('./wasm.js')
  return wasm.loadWasm()
}
