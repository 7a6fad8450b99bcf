/** How much of a campaign runs: all of it, or a share that a seed determines. */
import { createHash } from 'node:crypto'

/** `CAMPAIGN_SHARE=1` runs all, 1/5 a fifth of the cases; `CAMPAIGN_SEED` (or `SLOW_SEED`) determines which. */
const [part, whole = 1] = (process.env['CAMPAIGN_SHARE'] ?? '1/8').split('/').map(Number)
export const seed = process.env['CAMPAIGN_SEED'] ?? process.env['SLOW_SEED'] ?? '1'
export const share = part / whole

/** The cases that run, by their names. */
export function chosen<T extends { name: string }>(cases: readonly T[]): T[] {
  if (share >= 1) return [...cases]
  const rank = ({ name }: T) => createHash('sha256').update(`${seed} ${name}`).digest('hex')
  return cases.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, Math.ceil(cases.length * share))
}

/** Counts of a campaign, printed at its end. */
export function tally(what: string) {
  let [tried, survived, places] = [0, 0, 0]
  return {
    /** A number for the folder of a case. */
    next: () => places++,
    async count(attempt: () => Promise<void>): Promise<void> {
      tried++
      await attempt()
      survived++
    },
    print: () => console.log(`${what}: ${tried} tried, ${survived} survived, ${tried - survived} lost`),
  }
}
