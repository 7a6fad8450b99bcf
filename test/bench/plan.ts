/** Which workloads there are, and how each is run: as ours, and as the peer's. */
import { root, sharedFile } from '../fixtures.js'
import type { Size } from './measure.js'

/** A process whose last line of output is JSON with the figures that are compared. */
export interface Call {
  command: string
  args: string[]
  env?: Record<string, string>
}

export interface Options {
  quick: boolean
  /** Timed steps; undefined: the defaults of each side, which are the same. */
  steps?: number
  /**
   * Threads that compute; undefined: one for each core. On a machine that does other things 1 is fairer:
   * threads that wait for each other suffer most, PyTorch's more than TensorFlow's.
   */
  threads?: number
  /** Folder of JPEG files for `embed`; undefined: drawn ones. */
  images?: string
}

/** One figure that a pair of processes yields. */
interface Figure {
  workload: string
  key: string
  unit: string
  isLessBetter?: boolean
}

export interface Workload {
  name: string
  figures: Figure[]
  ours: Call
  peer: Call | undefined
  /** Times that it is run; undefined: as often as the others. */
  runs?: number
}

export interface Peer {
  python: string
  script: string
}

/** The peer, or why there is none. */
export function findPeer(): Peer | string {
  const python = process.env['MIM_PEER_PYTHON']
  const script = process.env['MIM_PEER_SCRIPT']
  if (!python) return 'MIM_PEER_PYTHON names no Python with torch'
  if (script) return { python, script }
  const { path, skip } = sharedFile('bench/torch_peers.py')
  return skip || { python, script: path }
}

/** Sizes under which a run only shows that it works. */
const quickSize: Size = { batch: 4, history: 5, steps: 1 }
const quickVocabulary = 100

export const pictureFolder = (quick: boolean) => `${root}runs/bench/pictures${quick ? '-quick' : ''}`
export const pictureCount = (quick: boolean) => (quick ? 8 : 512)

export function plan(
  peer: Peer | undefined,
  { quick, steps, threads, images = pictureFolder(quick) }: Options,
): Workload[] {
  const base = { ...(quick ? quickSize : {}), ...(steps ? { steps } : {}), ...(threads ? { threads } : {}) }
  const pools = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'UV_THREADPOOL_SIZE']
  // What bin/mim starts Node with.
  const asMim = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' }
  const call = (name: string, own: object): Call => ({
    command: process.execPath,
    args: [`${root}dist/test/bench/workload.js`, name, JSON.stringify({ ...base, ...own })],
    env: { ...asMim, ...(threads ? Object.fromEntries(pools.map((pool) => [pool, String(threads)])) : {}) },
  })
  const limits = [steps ? ['--steps', `${steps}`] : [], threads ? ['--threads', `${threads}`] : []].flat()
  const theirs = (what: string, ...args: (string | number)[]): Call | undefined =>
    peer && { command: peer.python, args: [peer.script, what, ...args.map(String), ...limits] }

  const memory: Figure = { workload: 'ctr-memory', key: 'max_rss_mb', unit: 'MB', isLessBetter: true }
  const ctr = (name: string, way: 'ctr' | 'ctr-ragged', vocab: number, more: Figure[] = []): Workload => ({
    name,
    figures: [{ workload: name, key: 'samples_per_s', unit: 'samples/s' }, ...more],
    ours: call(way, { vocab: quick ? quickVocabulary : vocab }),
    peer: theirs('ctr', '--vocab', vocab),
  })
  // Over 2,000 steps, which are not timed, so that one run is as good as five.
  const growth = (name: string): Workload => ({
    name,
    figures: [{ workload: name, key: 'growth_percent', unit: '%', isLessBetter: true }],
    ours: call(name, quick ? { vocab: quickVocabulary, steps: 10 } : { steps: 2000 }),
    peer: undefined,
    runs: 1,
  })
  // One engine of ours against the other: what it costs to have no native parts.
  const onWasm = (name: string, key: string, unit: string): Workload => {
    const on = (engine: string) => {
      const { env, ...rest } = call(name, {})
      return { ...rest, env: { ...env, MIM_ENGINE: engine } }
    }
    return {
      name: `wasm-${name}`,
      figures: [{ workload: `wasm-${name}`, key, unit }],
      ours: on('wasm'),
      peer: on('auto'),
    }
  }
  return [
    ctr('ctr', 'ctr', 1e6, [memory]),
    ctr('ctr-ragged', 'ctr-ragged', 1e6),
    // With `ctr` in the middle: what a step costs must not depend on the rows of the table.
    ctr('ctr-100000', 'ctr', 1e5),
    ctr('ctr-10000000', 'ctr', 1e7),
    growth('ctr-growth'),
    growth('ctr-ragged-growth'),
    {
      name: 'clip',
      figures: [{ workload: 'clip', key: 'pairs_per_s', unit: 'pairs/s' }],
      ours: call('clip', {}),
      peer: theirs('clip'),
    },
    {
      name: 'clip-products',
      figures: [{ workload: 'clip-products', key: 'products_percent', unit: '% of a step' }],
      ours: call('clip-products', {}),
      peer: undefined,
    },
    onWasm('ctr', 'samples_per_s', 'samples/s'),
    onWasm('clip', 'pairs_per_s', 'pairs/s'),
    {
      name: 'embed',
      figures: [
        { workload: 'embed', key: 'images_per_s', unit: 'images/s' },
        { workload: 'embed-encoder', key: 'encoder_only_images_per_s', unit: 'images/s' },
        // One session that has all cores, on ready pixels of the same batch.
        { workload: 'embed-share', key: 'percent_of_bare_session', unit: '% of the bare session' },
      ],
      ours: call('embed', { images }),
      peer: theirs('embed', '--images', images),
    },
  ]
}
