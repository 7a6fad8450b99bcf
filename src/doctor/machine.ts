/** Findings about the machine. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, homedir, tmpdir, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { freeMemory } from '../base/capacity.js'
import { messageOf } from '../base/errors.js'
import { type Finding, note, ok, problem } from './finding.js'

/** With less, runs with a few hundred thousand impressions begin to fail. */
const littleMemory = 2 * 2 ** 30
const littleDisk = 2 * 2 ** 30

/** Checks the version of Node against package.json. */
export function nodeFinding(): Finding {
  const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    engines: { node: string }
  }
  const numbers = (version: string) => version.match(/\d+/g)!.map(Number)
  const [major, minor] = numbers(process.versions.node)
  const [leastMajor, leastMinor] = numbers(engines.node)
  const value = `${process.versions.node} (supported: ${engines.node})`
  const fits = major > leastMajor || (major === leastMajor && minor >= leastMinor)
  return fits ? ok('node', value) : problem('node', value, `install Node ${engines.node}`)
}

/** One finding per GPU that nvidia-smi lists; having none is not a problem. */
export function gpuFindings(): { gpus: number; findings: Finding[] } {
  try {
    const query = ['--query-gpu=name,memory.total,memory.free,driver_version', '--format=csv,noheader,nounits']
    const lines = execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const findings = lines
      .trim()
      .split('\n')
      .map((line) => {
        const [name, total, free, driver] = line.split(', ')
        return ok(
          'gpu',
          `${name}, ${gibibytes(+total * 2 ** 20)}, ${gibibytes(+free * 2 ** 20)} free, driver ${driver}`,
        )
      })
    return { gpus: findings.length, findings }
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const value = isAbsent ? 'none (nvidia-smi was not found)' : `nvidia-smi fails: ${messageOf(error).split('\n')[0]}`
    const remedy = 'if there is a GPU, install the NVIDIA driver; until then mim runs on the CPU'
    return { gpus: 0, findings: [isAbsent ? note('gpu', value, remedy) : problem('gpu', value, remedy)] }
  }
}

export function memoryFindings(): Finding[] {
  const limit = process.constrainedMemory()
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const free = Math.min(freeMemory(), total)
  const value = `${gibibytes(total)}, ${gibibytes(free)} free`
  const cores = availableParallelism()
  return [
    ok('cores', String(cores)),
    free < littleMemory
      ? note('memory', value, 'close other programs, or train on a sample of the data (mim sample --from)')
      : ok('memory', value),
  ]
}

/** Free space for runs, below the current folder, and for temporary files. */
export function diskFindings(): Finding[] {
  return [
    disk('disk of runs', resolve('runs'), 'run mim in a folder on another disk, or set --out'),
    disk('temporary disk', tmpdir(), 'set TMPDIR to a folder on another disk'),
  ]
}

function disk(what: string, folder: string, remedy: string): Finding {
  const place = existing(folder)
  try {
    accessSync(place, constants.W_OK)
  } catch {
    return problem(what, `${place} is not writable`, remedy)
  }
  const { bavail, bsize } = statfsSync(place)
  const value = `${folder}, ${gibibytes(bavail * bsize)} free`
  return bavail * bsize < littleDisk ? note(what, value, remedy) : ok(what, value)
}

/** The folder, or its nearest parent that exists. */
function existing(folder: string): string {
  return existsSync(folder) ? folder : existing(dirname(folder))
}

/** The home folder, which a user that the system does not list lacks, as in some containers. */
function homeOfUser(): string {
  try {
    return homedir()
  } catch {
    return '/'
  }
}

/** The folder of downloads and compiled files of bin/setup-tensorflow. */
export function cacheFinding(): Finding {
  const { HOME: home, XDG_CACHE_HOME: caches, MIM_CACHE: own } = process.env
  const base = caches ?? (own === undefined ? join(home ?? homeOfUser(), '.cache') : '')
  const folder = own ?? join(base, 'mim')
  return ok('cache', existsSync(folder) ? folder : `${folder} (does not exist yet)`)
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
