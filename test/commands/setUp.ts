/** A copy of the TensorFlow package and bin/setup-tensorflow, to be spoilt and repaired without a network. */
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from '../fixtures.js'

const packageName = '@tensorflow/tfjs-node-gpu'
const installed = join(root, 'node_modules', packageName, 'lib/napi-v8')
const cached = process.env['MIM_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mim')
export const addons = ['mim_startup.node', 'tfjs_binding.node', 'mim_kernels.node'] as const

/** Why there are no addons to copy; undefined if there are. */
export function whyNoAddons(): string | undefined {
  const missing = addons.find((name) => !existsSync(join(installed, name)))
  if (missing) return `${missing} is not installed`
  return libraries() ? undefined : 'the libraries of TensorFlow that the addons were compiled with are gone'
}

function libraries(): string | undefined {
  try {
    const { source } = JSON.parse(readFileSync(join(installed, 'source.json'), 'utf8')) as { source: string }
    return existsSync(source) ? source : undefined
  } catch {
    return undefined
  }
}

export interface SetUpCopy {
  /** The folder of the addons. */
  target: string
  cache: string
  run(env?: NodeJS.ProcessEnv): Promise<string>
}

/** Copies the package into `folder`, with what was compiled for it in a cache of its own. */
export function copySetUp(folder: string): SetUpCopy {
  cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  const copied = join(folder, 'node_modules', packageName)
  mkdirSync(dirname(copied), { recursive: true })
  cpSync(join(root, 'node_modules', packageName), copied, { recursive: true })
  for (const scope of ['', '@tensorflow']) {
    for (const name of readdirSync(join(root, 'node_modules', scope))) {
      const link = join(folder, 'node_modules', scope, name)
      if (!existsSync(link)) symlinkSync(join(root, 'node_modules', scope, name), link)
    }
  }
  const [target, cache] = [join(copied, 'lib/napi-v8'), join(folder, 'cache')]
  mkdirSync(cache)
  for (const name of readdirSync(cached).filter((name) => /\.node(\.sha256)?$/.test(name))) {
    cpSync(join(cached, name), join(cache, name))
  }
  const environment = { ...process.env, MIM_CACHE: cache, MIM_TENSORFLOW_DIR: libraries() }
  return {
    target,
    cache,
    run: (env = {}) => runSetUp(join(folder, 'bin/setup-tensorflow'), { ...environment, ...env }),
  }
}

/** Gives what it prints. */
function runSetUp(program: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let printed = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    printed += piece
  })
  return new Promise((resolve, reject) => child.on('error', reject).on('close', () => resolve(printed)))
}

export const cutInHalf = (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))
