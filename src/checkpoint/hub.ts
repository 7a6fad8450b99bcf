/** Checkpoints from the Hugging Face Hub or a compatible server (HF_ENDPOINT), through its usual cache. */
import { join } from 'node:path'
import { messageOf, UserError } from '../base/errors.js'
import { placeError } from '../base/places.js'
import { requireStage } from '../base/runStage.js'
import type { Warning } from '../base/warning.js'
import { tokenizerFileNames } from '../data/text/readTokenizer.js'
import type { ModelFolder } from './folder.js'
import { HubCache } from './hubCache.js'
import { HubConnection, HubFault } from './hubConnection.js'
import { type HubFile, listRepository } from './hubFiles.js'
import { type HubSettings, hubSettings } from './hubSettings.js'
import { checkpointFolder, checkWeights, readModelFolder } from './model.js'
import { processorFiles } from './processorFile.js'
import { isIndex, shardNames, weightFormats } from './weights.js'

/** Files other than weights; `ours` exist if mim wrote the checkpoint. */
const described = ['config.json', ...processorFiles, ...tokenizerFileNames]
const ours = ['mim.json', 'mim.safetensors']

/** Shows the progress of a download in bytes. */
interface Bars {
  bar(title: string, total: number): { update(done: number, note?: string): void; stop(): void }
}

/**
 * Opens a checkpoint by name: a folder, a run folder that contains one, or `hf:owner/name[@revision]`, which is
 * downloaded unless it is in the cache. `warn` gets what is assumed or ignored.
 * @throws UserError `run-stage` for a run that trains no encoder; those of `hubFolder`, `readModelFolder` and
 * `checkWeights`.
 */
export async function openCheckpoint(name: string, bars: Bars, warn: (warning: Warning) => void): Promise<ModelFolder> {
  requireStage(name, ['pretrain', 'sft'])
  const folder = name.startsWith('hf:') ? await hubFolder(name, bars) : checkpointFolder(name)
  const model = readModelFolder(folder, warn)
  checkWeights(model, warn)
  return model
}

/**
 * The cache folder of a checkpoint on a server. Downloads the files that we read and the cache lacks; files with a wrong
 * size or hash are downloaded again.
 * @throws UserError `hub-name` for a malformed name, `hub-files` if the server refuses or lacks a required file,
 * `hub-answer` for an answer that is not what a server of models sends, `hub-timeout` for a server that is silent,
 * `hub-space` without enough space; `hub-settings`.
 */
async function hubFolder(name: string, bars: Bars): Promise<string> {
  const { repository, revision } = parseName(name)
  const settings = hubSettings()
  const connection = new HubConnection(settings)
  try {
    const listed = await listRepository(settings, connection, repository, revision)
    const cache = new HubCache(settings.cache, repository, listed.commit)
    await cache.removeAbandoned()
    const read = [...described, ...ours, ...weightFormats]
    const [weights] = weightFormats.filter(listed.has)
    const lost = listed.has('config.json') ? (weights ? undefined : weightFormats.join(' or ')) : 'config.json'
    if (lost) throw new HubFault({ id: 'hub-files', what: `the repository has no ${lost}` })
    for (const path of read.filter((path) => !listed.has(path))) await cache.drop(path)
    const fetchAll = async (paths: readonly string[]) => {
      const from = `${repository}/resolve/${listed.commit}`
      await fetchFiles(paths.map(listed.file), cache, bars, name, (file) =>
        connection.download(`${from}/${encodeURIComponent(file.path)}`, file.bytes),
      )
    }
    await fetchAll([...[...described, ...ours].filter(listed.has), weights])
    if (isIndex(weights)) await fetchAll(shardNames(join(cache.folder, weights)))
    if (revision !== listed.commit) await cache.name(revision, listed.commit)
    return cache.folder
  } catch (error) {
    throw hubError(error, name, settings)
  } finally {
    connection.close()
  }
}

/** Repository and revision in `hf:owner/name@revision`, by the rules of the Hub and of git: both become paths. */
function parseName(name: string): { repository: string; revision: string } {
  const [, repository = '', revision = 'main'] = /^hf:([\w.-]+\/[\w.-]+)(?:@(\S+))?$/.exec(name) ?? []
  const isName = repository.split('/').every((part) => /^\w/.test(part) && /\w$/.test(part) && !/--|\.\./.test(part))
  const isRevision = !/\.\.|\/\/|^[/.-]|[/.]$|\/\.|[~^:?*[\\\p{Cc}]/u.test(revision)
  if (isName && repository.length <= 96 && isRevision && revision.length <= 255) return { repository, revision }
  throw new UserError({ id: 'hub-name', what: `'${name}'`, expected: 'hf:owner/name or hf:owner/name@revision' })
}

async function fetchFiles(
  files: readonly HubFile[],
  cache: HubCache,
  bars: Bars,
  title: string,
  download: (file: HubFile) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const missing: HubFile[] = []
  for (const file of files) if (!(await cache.has(file))) missing.push(file)
  if (missing.length === 0) return
  const total = missing.reduce((sum, { bytes }) => sum + bytes, 0)
  await cache.checkSpace(total)
  const bar = bars.bar(title, total)
  let done = 0
  const counted = async function* (file: HubFile) {
    for await (const piece of download(file)) {
      done += piece.length
      bar.update(done, file.path)
      yield piece
    }
  }
  try {
    for (const file of missing) await cache.store(file, counted(file))
  } finally {
    bar.stop()
  }
}

/** What to report for anything thrown: one line without the token, the password or control characters. */
function hubError(error: unknown, name: string, { redact, cache }: HubSettings): UserError {
  if (error instanceof UserError) return error
  const place = placeError(error, { option: 'cache of downloads (HF_HOME)', path: cache })
  if (place) return place
  const [line] = redact(deepestMessage(error)).trim().split('\n')
  const what = line.replace(/\p{C}/gu, '?').slice(0, 300)
  const id = error instanceof HubFault ? error.id : 'hub-files'
  return new UserError({ id, where: name, what, remedy: remedies[id] })
}

const remedies: Readonly<Record<string, string>> = {
  'hub-files': 'check the name, the network and HF_TOKEN, or give a folder',
  'hub-answer': 'nothing of it was kept; check HF_ENDPOINT, or give a folder',
  'hub-timeout': 'try again, raise HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT, or give a folder',
  'hub-space': 'free space, or set HF_HOME to another disk',
}

/** fetch says only that it failed; the cause says why. */
function deepestMessage(error: unknown): string {
  const { cause, errors } = (error ?? {}) as { cause?: unknown; errors?: unknown[] }
  const next = error instanceof AggregateError ? errors?.[0] : cause
  return next instanceof Error ? deepestMessage(next) : messageOf(error)
}
