/** Learning-rate schedule. */
export interface Schedule {
  /** Peak learning rate. */
  learningRate: number
  schedule: 'cosine' | 'linear' | 'constant'
  /** Warm-up: share of the steps over which the rate rises from 0. */
  warmup: number
}

/** Learning rate of step `step` (from 0) of `steps`: linear warm-up, then constant or decay to 0 by the schedule. */
export function rateAt({ learningRate, schedule, warmup }: Schedule, step: number, steps: number): number {
  const rise = Math.round(warmup * steps)
  if (step < rise) return (learningRate * (step + 1)) / rise
  if (schedule === 'constant') return learningRate
  const done = (step - rise) / Math.max(1, steps - rise)
  return learningRate * (schedule === 'linear' ? 1 - done : 0.5 * (1 + Math.cos(Math.PI * done)))
}
