/** Stages so small that each takes a moment, and what their runs leave behind. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Database, literal } from '../../src/data/tables/duckdb.js'
import { generateSample } from '../../src/sample/index.js'
import { temporaryFolder } from '../sample/folders.js'

/** Step of the state in a run folder; 0 where there is none. */
export function savedStep(run: string): number {
  try {
    return JSON.parse(readFileSync(join(run, 'last/trainer_state.json'), 'utf8')).step
  } catch (error) {
    // The folder is absent for a moment while a state takes the place of another.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

/** A folder that is gone when the tests of the file are done, with the data set `tiny` in it. */
export async function workplace(): Promise<string> {
  const folder = await temporaryFolder()
  await generateSample({ out: join(folder, 'tiny'), size: 'tiny', seed: 7 })
  return folder
}

const set = (options: Record<string, unknown>) => Object.entries(options).flatMap(([k, v]) => ['--set', `${k}=${v}`])

/** Arguments for stages so small that each takes a moment; `folder` is a workplace. */
export function smallStages(folder: string) {
  const data = ['--data', join(folder, 'tiny')]
  const pictures = set({ 'data.cache': join(folder, 'cache') })
  const shape = { imageSize: 16, width: 16, layers: 1, heads: 2, textLength: 8, vocabulary: 514, projection: 16 }
  const model = Object.fromEntries(Object.entries(shape).map(([name, value]) => [`model.${name}`, value]))
  const eachStep = set({ 'train.saveEvery': 1, 'train.logEvery': 1 })
  return {
    /** Some 20 steps each, with an evaluation after each epoch. */
    pretrain: 'pretrain --batch 16 --epochs 4'
      .split(' ')
      .concat(data, pictures, eachStep, set({ ...model, 'fusion.width': 12 })),
    sft: 'sft --batch 16 --epochs 3'
      .split(' ')
      .concat(data, pictures, eachStep, set({ 'negatives.queue': 64, 'negatives.hard': 4 })),
    ctr: 'ctr --batch 256 --epochs 2'
      .split(' ')
      .concat(data, eachStep, set({ 'model.dim': 4, 'model.contentDim': 8, 'model.head': '[8]' })),
    embed: ['embed', ...data, ...set({ threads: 1 })],
  }
}

/** Rows of an SQL query over Parquet files; `{name}` is replaced by the file of that name. */
export async function query<T>(sql: string, files: Record<string, string>): Promise<T[]> {
  const db = await Database.open()
  try {
    return await db.rows<T>(sql.replace(/\{(\w+)\}/g, (_, name: string) => `read_parquet(${literal(files[name])})`))
  } finally {
    db.close()
  }
}

/** Those of `names` that `folder` does not have. */
export function missing(folder: string, names: readonly string[]): string[] {
  return names.filter((name) => !existsSync(join(folder, name)))
}
