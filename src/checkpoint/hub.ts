/** Checkpoints from the Hugging Face Hub or a compatible server (HF_ENDPOINT), through its usual cache. */
import { join } from 'node:path'
import { messageOf, UserError } from '../base/errors.js'
import { placeError } from '../base/places.js'
import { requireStage } from '../base/runStage.js'
import type { Warning } from '../base/warning.js'
import { tokenizerFileNames } from '../data/text/readTokenizer.js'
import type { ModelFolder } from './folder.js'
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
 * The cache folder of a checkpoint on a server. Downloads the files that we read and the cache lacks. HF_ENDPOINT,
 * HF_TOKEN, HF_HOME and HF_HUB_CACHE have the same meaning as in Python.
 * @throws UserError `hub-name` for a malformed name, `hub-files` if the server refuses or lacks a required file.
 */
async function hubFolder(name: string, bars: Bars): Promise<string> {
  const [, repository, revision = 'main'] = /^hf:([\w.-]+\/[\w.-]+)(?:@(\S+))?$/.exec(name) ?? []
  if (!repository)
    throw new UserError({ id: 'hub-name', what: `'${name}'`, expected: 'hf:owner/name or hf:owner/name@revision' })
  const { downloadFileToCacheDir, listFiles, modelInfo } = await import('@huggingface/hub')
  const server = {
    ...(process.env['HF_ENDPOINT'] ? { hubUrl: process.env['HF_ENDPOINT'].replace(/\/$/, '') } : {}),
    ...(process.env['HF_TOKEN'] ? { accessToken: process.env['HF_TOKEN'] } : {}),
  }
  // The library logs downloads to standard output, which is reserved for results.
  const { debug } = console
  console.debug = () => {}
  try {
    const { sha } = await modelInfo({ ...server, name: repository, revision, additionalFields: ['sha'] })
    const at = { ...server, repo: { type: 'model', name: repository } as const, revision: sha }
    const sizes = new Map<string, number>()
    for await (const { path, size } of listFiles(at)) sizes.set(path, size)
    const fetchAll = async (files: readonly string[]) => {
      const total = files.reduce((bytes, file) => bytes + (sizes.get(file) ?? 0), 0)
      const bar = bars.bar(name, total)
      let done = 0
      let folder = ''
      for (const file of files) {
        bar.update(done, file)
        folder = join(await downloadFileToCacheDir({ ...at, path: file }), '..')
        done += sizes.get(file) ?? 0
      }
      bar.stop()
      return folder
    }
    const there = (files: readonly string[]) => files.filter((file) => sizes.has(file))
    const [weights] = there(weightFormats)
    const lost = sizes.has('config.json') ? (weights ? undefined : weightFormats.join(' or ')) : 'config.json'
    if (lost) throw new UserError({ id: 'hub-files', where: name, what: `the repository has no ${lost}` })
    const folder = await fetchAll([...there([...described, ...ours]), weights])
    if (isIndex(weights)) await fetchAll(shardNames(join(folder, weights)))
    return folder
  } catch (error) {
    if (error instanceof UserError) throw error
    const place = placeError(error, { option: 'cache of downloads (HF_HOME)' })
    if (place) throw place
    const remedy = 'check the name, the network and HF_TOKEN, or give a folder'
    throw new UserError({ id: 'hub-files', where: name, what: messageOf(error).split('\n')[0], remedy })
  } finally {
    console.debug = debug
  }
}
