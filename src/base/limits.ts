/** Threads and open files that the system refuses, as errors of the user: neither is a mistake of ours. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UserError } from './errors.js'

const noThreads = /Resource temporarily unavailable|pthread_create|EAGAIN|thread constructor failed/

interface Report {
  userLimits: { open_files: { soft: number | string } }
}

/**
 * `error` as a UserError (`threads-limit`, `files-open`) if the system gave no thread or no open file. Undefined for other errors.
 */
export function limitError(error: unknown): UserError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code = '', message } = error as NodeJS.ErrnoException
  if (isMissingModule(code, message)) {
    const remedy = 'raise the limit, e.g. ulimit -n 65536'
    return new UserError({ id: 'files-open', what: 'too many open files', remedy }, { cause: error })
  }
  if (code === 'ERR_WORKER_INIT_FAILED' || (noThreads.test(message) && /thread|spawn|fork|Worker/i.test(message))) {
    const what = `no more threads: ${message.split('\n', 1)[0]}`
    const remedy = 'raise the limit, e.g. ulimit -u, or use fewer threads (train.workers, threads)'
    return new UserError({ id: 'threads-limit', what, remedy }, { cause: error })
  }
  return undefined
}

/** Files that a program of this kind opens while it starts. */
const few = 1024

/** Node calls a package missing also where it cannot open its files. */
function isMissingModule(code: string, message: string): boolean {
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false
  const [, path] = /Cannot find (?:package|module) '(\/.*?)'/.exec(message) ?? []
  // Without the package.json it guesses the name of the module.
  if (path === undefined || !(existsSync(path) || existsSync(join(dirname(path), 'package.json')))) return false
  const { soft } = (process.report.getReport() as unknown as Report).userLimits.open_files
  return typeof soft === 'number' && soft < few
}
