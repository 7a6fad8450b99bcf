/** The files of a repository as a server lists them. Nothing of it is believed before it is checked. */
import { type HubConnection, HubFault } from './hubConnection.js'
import type { HubSettings } from './hubSettings.js'

export interface HubFile {
  path: string
  bytes: number
  /** Hexadecimal; the name in the cache. SHA-256 of the content if `lfs`, else a hash by git. */
  hash: string
  lfs: boolean
}

export interface HubFiles {
  /** Hash of the commit, hexadecimal. */
  commit: string
  /** The file at `path`. @throws HubFault `hub-files` if there is none, `hub-answer` if its size or hash is malformed. */
  file(path: string): HubFile
  has(path: string): boolean
}

/** Files in memory as text: configuration, tokenizers and indexes. */
const maxTextBytes = 256 * 2 ** 20
const isHash = (text: unknown): text is string => typeof text === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
const isSize = (size: unknown): size is number => Number.isSafeInteger(size) && (size as number) >= 0
const refuse = (what: string) => new HubFault({ id: 'hub-answer', what })

/**
 * Lists the files at the top of a repository.
 * @throws HubFault `hub-answer` for a commit that is no hash or a path outside of the repository; those of `HubConnection`.
 */
export async function listRepository(
  { url }: HubSettings,
  connection: HubConnection,
  repository: string,
  revision: string,
): Promise<HubFiles> {
  const { listFiles, modelInfo } = await import('@huggingface/hub')
  const server = { hubUrl: url, fetch: connection.fetch }
  const { sha } = await modelInfo({ ...server, name: repository, revision, additionalFields: ['sha'] })
  if (!isHash(sha)) throw refuse(`commit ${shown(sha)} is not a hexadecimal hash`)
  const found = new Map<string, Listed>()
  for await (const entry of listFiles({ ...server, repo: { type: 'model', name: repository }, revision: sha })) {
    const listed = entry as Listed | null
    if (typeof listed?.path !== 'string') throw refuse('the list of files has an entry without a path')
    if (isOutside(listed.path)) throw refuse(`path ${shown(listed.path)} is outside of the repository`)
    if (listed.type === 'file') found.set(listed.path, listed)
  }
  return {
    commit: sha,
    has: (path) => found.has(path),
    file(path) {
      const listed = found.get(path)
      if (!listed) throw new HubFault({ id: 'hub-files', what: `the repository has no ${path}` })
      return checkFile(path, listed)
    },
  }
}

/** An entry of the list; the server may send anything. */
interface Listed {
  path?: unknown
  type?: unknown
  size?: unknown
  oid?: unknown
  lfs?: { oid?: unknown; size?: unknown } | null
}

function checkFile(path: string, { size, oid, lfs }: Listed): HubFile {
  const [bytes, hash] = lfs ? [lfs.size, lfs.oid] : [size, oid]
  if (!isSize(bytes)) throw refuse(`size of ${path} is ${shown(bytes)} instead of a number of bytes`)
  if (!isHash(hash) || (lfs && hash.length !== 64)) throw refuse(`hash of ${path} is ${shown(hash)}`)
  if (bytes > maxTextBytes && /\.(json|txt)$/.test(path)) throw refuse(`${path} has ${bytes} bytes, which is too long`)
  return { path, bytes, hash, lfs: Boolean(lfs) }
}

function isOutside(path: string): boolean {
  return /^[/\\]|^[a-z]:|\0/i.test(path) || path.split(/[/\\]/).includes('..')
}

const shown = (value: unknown) => (value === undefined ? 'missing' : String(JSON.stringify(value)).slice(0, 80))
