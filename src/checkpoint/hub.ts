/** Checkpoints from the Hugging Face Hub or a compatible server (HF_ENDPOINT), through its usual cache. */
import { join } from 'node:path'
import { messageOf, UserError } from '../base/errors.js'
import { placeError } from '../base/places.js'
import { requireStage } from '../base/runStage.js'
import type { ModelFolder } from './folder.js'
import { checkpointFolder, readModelFolder } from './model.js'
import { shardNames, weightsFile, weightsIndex } from './weights.js'

/** Files other than weights; `ours` exist if mim wrote the checkpoint. */
const described = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt']
const ours = ['mim.json', 'mim.safetensors']

/** Shows the progress of a download in bytes. */
interface Bars {
  bar(title: string, total: number): { update(done: number, note?: string): void; stop(): void }
}

/**
 * Opens a checkpoint by name: a folder, a run folder that contains one, or `hf:owner/name[@revision]`, which is
 * downloaded unless it is in the cache.
 * @throws UserError `run-stage` for a run that trains no encoder; those of `hubFolder` and `readModelFolder`.
 */
export async function openCheckpoint(name: string, bars: Bars): Promise<ModelFolder> {
  requireStage(name, ['pretrain', 'sft'])
  return readModelFolder(name.startsWith('hf:') ? await hubFolder(name, bars) : checkpointFolder(name))
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
    const weights = there([weightsFile, weightsIndex]).slice(0, 1)
    const lost = sizes.has('config.json') ? (weights.length === 0 ? weightsFile : undefined) : 'config.json'
    if (lost) throw new UserError({ id: 'hub-files', where: name, what: `the repository has no ${lost}` })
    const folder = await fetchAll([...there([...described, ...ours]), ...weights])
    const shards = weights[0] === weightsIndex ? shardNames(join(folder, weightsIndex)) : []
    if (shards.length > 0) await fetchAll(shards)
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
