/** A place for checkpoints, and `mim pretrain` that starts from one of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'

export const folder = await workplace()
export const place = (name: string) => join(folder, name)
export const { pretrain } = smallStages(folder)
export const adapt = (init: string, name: string, epochs: number, ...more: string[]) =>
  mimJson([...pretrain, '--init', init, '--epochs', `${epochs}`, '--out', place(name), ...more])
export const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
export const weights = 'model.safetensors'
