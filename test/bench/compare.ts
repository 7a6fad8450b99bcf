/** Runs pairs of processes by turns, ours and the peer's, so that what else the machine does hits both. */
import { spawnSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { root } from '../fixtures.js'
import type { Call, Workload } from './plan.js'

/** A line of the results. */
export interface Result {
  workload: string
  /** Median of ours; that of the peer, or null without one. */
  value: number
  unit: string
  peer: string | null
  peer_value: number | null
  /** Median over the pairs; above 1 ours is faster, or needs less. */
  ratio: number | null
  /** Processes that wanted a core, over the minute before the end; null where it is not known any more. */
  load: number | null
}

export function compare({ figures, ours, peer, runs }: Workload, pairs: number): Result[] {
  const rows = Array.from({ length: runs ?? pairs }, () => [run(ours), peer && run(peer)] as const)
  return figures.map(({ workload, key, unit, isLessBetter = false }) => {
    const ratio = (own: number, theirs: number) => (isLessBetter ? theirs / own : own / theirs)
    const own = rows.map(([figures]) => Number(figures[key]))
    const theirs = rows.flatMap(([, figures]) => (figures && key in figures ? [Number(figures[key])] : []))
    return {
      workload,
      value: median(own),
      unit,
      peer: theirs.length > 0 ? String(rows[0][1]!['peer']) : null,
      peer_value: theirs.length > 0 ? median(theirs) : null,
      ratio: theirs.length > 0 ? median(own.map((value, i) => ratio(value, theirs[i]))) : null,
      load: loadavg()[0],
    }
  })
}

/** `mim --help` against an empty Node program: what the command line itself costs. */
export function compareStart(pairs: number): Result {
  const milliseconds = (args: string[]) => {
    const started = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`)
    return performance.now() - started
  }
  const rows = Array.from({ length: pairs }, () => [
    milliseconds([`${root}bin/mim`, '--help']),
    milliseconds(['-e', '0']),
  ])
  return {
    workload: 'start',
    value: median(rows.map(([mim]) => mim)),
    unit: 'ms',
    peer: 'node -e 0',
    peer_value: median(rows.map(([, node]) => node)),
    ratio: median(rows.map(([mim, node]) => node / mim)),
    load: loadavg()[0],
  }
}

function run({ command, args, env }: Call): Record<string, unknown> {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`)
  return JSON.parse(stdout.trim().split('\n').pop()!)
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
