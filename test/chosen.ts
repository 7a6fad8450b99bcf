/**
 * `node chosen.js SHARE SEED FILE…` prints that share of the files (1: all, 1/3: a third, rounded up). The seed
 * determines which ones, so that continuous integration runs others for each commit.
 */
import { createHash } from 'node:crypto'

const [share, seed, ...files] = process.argv.slice(2)
const [part, whole = 1] = share.split('/').map(Number)
if (!(part > 0 && part / whole <= 1)) throw new Error(`share ${share}; expected a number from above 0 to 1, or a/b`)

const rank = (file: string) => createHash('sha256').update(`${seed} ${file}`).digest('hex')
const chosen = files.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, Math.ceil((files.length * part) / whole))
process.stderr.write(`slow tests: ${chosen.length} of ${files.length} files, share ${share}, seed ${seed}\n`)
console.log(chosen.sort().join('\n'))
