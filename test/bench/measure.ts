/** What every workload has in common: the net it is given is the work of the PyTorch peer, timed the same way. */
import { type Engine, openEngine } from '../../src/engine/index.js'

/** Numbers that size a workload; each has its own defaults, those of the peer. */
export interface Size {
  vocab?: number
  batch?: number
  history?: number
  dim?: number
  steps?: number
  threads?: number
}

/** One JSON line of a workload's process; the peer prints the same names. */
export type Figures = Record<string, number | string>

/** The engine that training takes, on the CPU as the peer. */
export function benchEngine(): Promise<Engine> {
  const engine = (process.env['MIM_ENGINE'] ?? 'auto') as 'auto'
  return openEngine({ engine, device: 'cpu' }, () => {})
}

/** Seconds of one call of `step`, the mean of `steps` after three that warm up. */
export async function secondsOf(step: () => unknown, steps: number): Promise<number> {
  for (let i = 0; i < Math.min(3, steps); i++) await step()
  const started = performance.now()
  for (let i = 0; i < steps; i++) await step()
  return (performance.now() - started) / 1000 / steps
}
