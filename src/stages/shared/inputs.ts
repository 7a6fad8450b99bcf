/** What the stages read: the files that a run remembers, so that it is continued with the same ones. */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { UserError } from '../../base/errors.js'
import { expectedError } from '../../base/places.js'
import type { ModelFolder } from '../../checkpoint/folder.js'
import { checkpointFolder, modelFiles } from '../../checkpoint/model.js'
import type { CtrConfig } from '../../config/ctr.js'
import type { PretrainConfig } from '../../config/pretrain.js'
import type { SftConfig } from '../../config/sft.js'
import type { RunInput } from '../../data/fingerprint/inputs.js'
import type { NamePrint } from '../../data/fingerprint/print.js'
import { bytesLimit } from '../../data/fingerprint/regions.js'
import { findTable } from '../../data/tables/contract.js'
import { tokenizerFilesIn } from '../../data/text/readTokenizer.js'
import { publishedVectors } from '../../data/vectors/sources.js'
import { usesContent } from '../../models/ctr/index.js'
import { readManifest } from '../../store/index.js'
import { rememberedPrints } from '../../train/runInputs.js'

export function pretrainInputs({ data, init, model }: PretrainConfig): RunInput[] {
  const { tokenizer } = model
  return [
    table('data.items', data.root, data.items),
    ...(init ? modelInput('init', init) : []),
    ...(!init && tokenizer ? filesInput('model.tokenizer', tokenizer, () => tokenizerFilesIn(tokenizer)) : []),
  ]
}

export function sftInputs(config: SftConfig): RunInput[] {
  const { root, items, behaviors } = config.data
  return [
    table('data.items', root, items),
    table('data.behaviors', root, behaviors),
    ...modelInput('init', initOf(config)),
  ]
}

export function ctrInputs({ data, features, model }: CtrConfig): RunInput[] {
  const { root, impressions, columns } = data
  const parts = typeof impressions === 'string' ? { '': impressions } : impressions
  return [
    ...Object.entries(parts).map(([part, path]) =>
      table(part ? `data.impressions.${part}` : 'data.impressions', root, path),
    ),
    ...(columns.history === null ? [table('data.behaviors', root, data.behaviors)] : []),
    ...(features.items.length > 0 ? [table('data.items', root, data.items)] : []),
    ...(usesContent(model) ? vectorInputs(data) : []),
  ]
}

const table = (option: string, root: string, path: string): RunInput => ({
  option,
  kind: 'table',
  path: findTable(root, path),
})

/** The checkpoint that C-SFT starts from. */
export const initOf = ({ init, seed }: Pick<SftConfig, 'init' | 'seed'>) => init.replaceAll('{seed}', String(seed))

/** The files of a checkpoint; none for one that is downloaded, which `revisionOf` identifies. */
function modelInput(option: string, name: string): RunInput[] {
  if (name === '' || name.startsWith('hf:')) return []
  const folder = checkpointFolder(name)
  return filesInput(option, folder, () => modelFiles(folder))
}

/** The files that `list` names, all their bytes; none if there is a mistake, which opening them reports. */
function filesInput(option: string, path: string, list: () => string[]): RunInput[] {
  try {
    return [{ option, kind: 'files', path, names: list(), limit: Number.POSITIVE_INFINITY }]
  } catch (error) {
    if (!expectedError(error)) throw error
    return []
  }
}

/** The commit of a model that was downloaded; undefined for one in a folder. */
export function revisionOf(name: string, { path }: ModelFolder): NamePrint | undefined {
  // The cache has a folder for each commit, and checks the files in it.
  return name.startsWith('hf:') ? { kind: 'name', name: basename(path) } : undefined
}

function vectorInputs({ embeddings, columns }: CtrConfig['data']): RunInput[] {
  const paths = [embeddings ?? []].flat()
  return paths.map((path, i): RunInput => {
    const option = vectorOption(paths, i)
    const folder = publishedVectors({ path, item: columns.embeddingItem, embedding: columns.embedding })
    if (!folder) return { option, kind: 'table', path }
    return { option, kind: 'files', path: folder, names: arraysIn(folder), limit: bytesLimit, version: modelOf(folder) }
  })
}

/** Option of the table of vectors at an index of `data.embeddings`. */
const vectorOption = (paths: readonly string[], i: number) =>
  paths.length === 1 ? 'data.embeddings' : `data.embeddings[${i}]`

/** The files of a published table that look-ups read: not those for other readers, nor an index of neighbors. */
const arraysIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => /\.(npy|utf8|firsts|json)$/.test(name))
    .sort()

/** The version of the model that made a published table; undefined if the table is damaged, which opening it reports. */
function modelOf(folder: string): string | undefined {
  try {
    return readManifest(folder)?.model_version
  } catch (error) {
    if (!expectedError(error)) throw error
    return undefined
  }
}

/**
 * Checks that vectors are of the models of those with which the click model in `run` was trained: vectors of others mean
 * something else. Runs of earlier versions of mim do not know their models.
 * @throws UserError `vectors-model`
 */
export function requireSameModels(run: string, config: CtrConfig): void {
  const remembered = rememberedPrints(run)
  for (const { option, path, ...input } of ctrInputs(config)) {
    const [was, now] = [remembered[option], 'version' in input ? input.version : undefined]
    if (was?.kind !== 'files' || !was.version || !now || withoutPrecision(was.version) === withoutPrecision(now))
      continue
    throw new UserError({
      id: 'vectors-model',
      where: `${option} ${path}`,
      what: `the vectors are of model ${now}, those of the training were of ${was.version}`,
      remedy: 'give a table that mim embed made with the same checkpoint, or train again',
    })
  }
}

/** Half precision rounds the vectors of the same model. */
const withoutPrecision = (version: string) => version.replace('-fp16', '')
