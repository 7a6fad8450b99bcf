/**
 * `node main.js [--pairs N] [--steps N] [--threads N] [--images FOLDER] [--quick] [--runs FOLDER] [--out FILE]
 * [WORKLOAD…]` runs the workloads (default: all) and writes the results. With MIM_PEER_PYTHON, a Python with torch,
 * each is set against the same work in PyTorch (MIM_PEER_SCRIPT, default ../shared/bench/torch_peers.py beside the
 * project). `embed` reads the JPEG files of --images, or drawn ones.
 * `reproduce` is no work but the times of stages that `make reproduce` has left (--runs), if it has.
 * --quick runs sizes that show that all of it works; their figures say nothing.
 */
import { parseArgs } from 'node:util'
import { writeJson } from '../../src/base/files.js'
import { root } from '../fixtures.js'
import { compare, compareStart, type Result } from './compare.js'
import { drawPictures } from './embed.js'
import { findPeer, pictureCount, pictureFolder, plan } from './plan.js'
import { stageTimes } from './reproduce.js'

const { values, positionals } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    steps: { type: 'string' },
    threads: { type: 'string' },
    images: { type: 'string' },
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: `${root}runs/reproduce` },
    out: { type: 'string', default: `${root}runs/bench.json` },
  },
  allowPositionals: true,
})
const { quick, out } = values
const pairs = Number(values.pairs)
const count = (text: string | undefined) => (text === undefined ? undefined : Number(text))
const options = { quick, steps: count(values.steps), threads: count(values.threads), images: values.images }
/** Starts are short: ten pairs cost less than one of anything else. */
const startPairs = quick ? 1 : 10

const peer = findPeer()
if (typeof peer === 'string') process.stderr.write(`bench: no peer, only our own figures: ${peer}\n`)
const workloads = plan(typeof peer === 'string' ? undefined : peer, options)
const names = [...workloads.map(({ name }) => name), 'start', 'reproduce']
const chosen = positionals.length > 0 ? positionals : names
const unknown = chosen.filter((name) => !names.includes(name))
if (
  unknown.length > 0 ||
  ![pairs, options.steps ?? 1, options.threads ?? 1].every((n) => Number.isInteger(n) && n > 0)
) {
  process.stderr.write(`bench: expected whole positive numbers and workloads of ${names.join(', ')}\n`)
  process.exit(2)
}

if (!values.images) await drawPictures(pictureFolder(quick), pictureCount(quick))
const results: Result[] = []
for (const workload of workloads.filter(({ name }) => chosen.includes(name))) await tell(compare(workload, pairs))
if (chosen.includes('start')) await tell([compareStart(startPairs)])
if (chosen.includes('reproduce')) await tell(stageTimes(values.runs))

/** Prints and writes results as they come: all of it takes long. */
async function tell(rows: Result[]): Promise<void> {
  results.push(...rows)
  await writeJson(out, results)
  for (const { workload, value, unit, peer, peer_value, ratio, load } of rows) {
    const against = peer === null ? '' : `, ${peer} ${peer_value!.toFixed(1)}, ratio ${ratio!.toFixed(2)}`
    const busy = load === null ? '' : `, load ${load.toFixed(1)}`
    process.stdout.write(`${workload}: ${value.toFixed(1)} ${unit}${against}${busy}\n`)
  }
}
