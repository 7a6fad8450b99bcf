/** A shop whose data, checkpoint, table and runs are sound: bad inputs are made from copies of them. */
import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Database, literal } from '../../../src/data/tables/duckdb.js'
import { runHere, setArguments } from '../../refusal.js'

/** Options of `mim ctr` for a model that trains in a second. */
export const smallClicks = setArguments({ 'model.dim': 4, 'model.contentDim': 8, 'model.head': [8], 'train.epochs': 1 })
const shape = { imageSize: 16, width: 16, layers: 1, heads: 2, textLength: 8, vocabulary: 514, projection: 16 }
/** Options of `mim pretrain`, likewise. */
export const smallEncoder = setArguments({
  ...Object.fromEntries(Object.entries(shape).map(([name, value]) => [`model.${name}`, value])),
  ...{ 'fusion.width': 12, 'train.epochs': 1, 'train.batch': 16 },
})

/** Paths of what is sound, below one folder. */
export interface Sound {
  folder: string
  /** Of decoded pictures: beside the folder, because it grows. */
  cache: string
  data: string
  /** Runs of pretrain, embed and ctr. */
  pretrain: string
  checkpoint: string
  embed: string
  table: string
  ctr: string
  predictions: string
}

/** Makes them in `folder`. */
export async function prepare(folder: string): Promise<Sound> {
  const at = (name: string) => join(folder, name)
  const [data, pretrain, embed, ctr, predictions] = ['data', 'pretrain', 'embed', 'ctr', 'predictions.parquet'].map(at)
  const checkpoint = join(pretrain, 'checkpoint')
  const cache = `${folder}-cache`
  const table = join(embed, 'embeddings')
  process.env['MIM_ENGINE'] = 'wasm'
  for (const args of [
    ['sample', '--size', '60', '--out', data],
    ['pretrain', '--data', data, '--out', pretrain, ...smallEncoder, '--set', `data.cache=${cache}`],
    ['embed', '--data', data, '--checkpoint', checkpoint, '--out', embed, '--set', 'threads=1'],
    ['ctr', '--data', data, '--out', ctr, '--model', 'content', '--embeddings', table, ...smallClicks],
    ['ctr', 'predict', ctr, '--data', data, '--out', predictions],
  ]) {
    const { code, stderr } = await runHere(args)
    if (code !== undefined && code !== 0) throw new Error(`mim ${args.join(' ')}: ${stderr}`)
  }
  return { folder, cache, data, pretrain, checkpoint, embed, table, ctr, predictions }
}

/** The folder of one bad input, and what is sound to make it from. */
export class Place {
  readonly out: string
  readonly temporary: string

  constructor(
    readonly folder: string,
    readonly sound: Sound,
    private readonly db: Database,
  ) {
    this.out = join(folder, 'out')
    this.temporary = join(folder, 'tmp')
    mkdirSync(this.temporary, { recursive: true })
  }

  readonly path = (...names: string[]): string => join(this.folder, ...names)

  /** Writes a file; gives its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = this.path(name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    return path
  }

  json(name: string, value: unknown): string {
    return this.file(name, JSON.stringify(value))
  }

  /** Writes the rows of a query as Parquet; `{items}`, `{behaviors}`, `{impressions}` are the sound tables. */
  async table(name: string, query: string, options = ''): Promise<string> {
    const path = this.path(name)
    mkdirSync(dirname(path), { recursive: true })
    const sql = query.replace(
      /\{(\w+)\}/g,
      (_, table) => `read_parquet(${literal(join(this.sound.data, `${table}.parquet`))})`,
    )
    await this.db.run(`COPY (${sql}) TO ${literal(path)} (FORMAT parquet${options})`)
    return path
  }

  /** A copy of something sound, with links as they are. */
  copy(what: keyof Sound, name: string = what): string {
    const path = this.path(name)
    cpSync(this.sound[what], path, { recursive: true, verbatimSymlinks: true })
    return path
  }
}

/** The last of some values: the others are there for what making them does. */
export const lastOf = <T>(...values: [...unknown[], T]): T => values.at(-1) as T

/** Every file, folder and link below `folder` with size and time of change, to see whether anything changed. */
export function listing(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  return names
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile()) return path
      const { size, mtimeMs, ino } = statSync(path)
      return `${path} ${size} ${mtimeMs} ${ino}`
    })
    .sort()
}
