/** A small checkpoint, and `mim pretrain` that starts from it with options. */
import { join } from 'node:path'
import { mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'
import { setArguments } from '../refusal.js'
import { tensorsOf } from './folders.js'

const folder = await workplace()
export const place = (name: string) => join(folder, name)
export const { pretrain } = smallStages(folder)
export const start = place('start/checkpoint')
await mimJson([...pretrain, '--epochs', '0', '--out', place('start')])

export async function adapt(name: string, epochs: number, options: Record<string, unknown>, init = start) {
  const args = ['--init', init, '--epochs', `${epochs}`, '--out', place(name), ...setArguments(options)]
  const metrics = await mimJson([...pretrain, ...args])
  return { metrics, checkpoint: place(`${name}/checkpoint`) }
}

export const weights = (path: string) => tensorsOf(join(path, 'model.safetensors'))
