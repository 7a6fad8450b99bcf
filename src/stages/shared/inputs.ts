/** What the stages read: the files that a run remembers, so that it is continued with the same ones. */
import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
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
    const option = paths.length === 1 ? 'data.embeddings' : `data.embeddings[${i}]`
    const folder = publishedVectors({ path, item: columns.embeddingItem, embedding: columns.embedding })
    if (!folder) return { option, kind: 'table', path }
    return { option, kind: 'files', path: folder, names: arraysIn(folder), limit: bytesLimit }
  })
}

/** The files of a published table, except those for other readers. */
function arraysIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name !== 'embeddings.safetensors')
  return names.filter((name) => statSync(join(folder, name)).isFile()).sort()
}
