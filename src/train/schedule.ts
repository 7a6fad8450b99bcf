export interface Schedule {
  learningRate: number
  schedule: 'cosine' | 'linear' | 'constant'
  /** Share of the steps over which the rate rises from 0. */
  warmup: number
}

/** Learning rate of step `step` (from 0) of `steps`: a linear rise, then the chosen fall to 0. */
export function rateAt({ learningRate, schedule, warmup }: Schedule, step: number, steps: number): number {
  const rise = Math.round(warmup * steps)
  if (step < rise) return (learningRate * (step + 1)) / rise
  if (schedule === 'constant') return learningRate
  const done = (step - rise) / Math.max(1, steps - rise)
  return learningRate * (schedule === 'linear' ? 1 - done : 0.5 * (1 + Math.cos(Math.PI * done)))
}
