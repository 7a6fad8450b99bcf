/** How long the stages of `make reproduce` took, as their runs tell. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { median, type Result } from './compare.js'

/** A row for each stage in the folders of seeds below `folder`, the median over seeds; none without such a folder. */
export function stageTimes(folder: string): Result[] {
  const times = new Map<string, number[]>()
  const folders = (of: string) => (existsSync(of) ? readdirSync(of) : []).map((name) => [name, join(of, name)])
  for (const [, seed] of folders(folder).filter(([name]) => name.startsWith('seed-'))) {
    for (const [stage, run] of folders(seed)) {
      const file = join(run, 'metrics.json')
      const seconds = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).seconds : undefined
      if (typeof seconds === 'number') times.set(stage, [...(times.get(stage) ?? []), seconds])
    }
  }
  return Array.from(times, ([stage, seconds]) => ({
    workload: `reproduce-${stage}`,
    value: median(seconds),
    unit: 's',
    peer: null,
    peer_value: null,
    ratio: null,
    load: null,
  }))
}
