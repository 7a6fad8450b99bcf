/** A trained click model as ONNX: scores and, to explain them, similarities and attention weights. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { replaceFolder } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import { SafetensorsFile } from '../formats/safetensors.js'
import { type CtrFeatures, CtrInputs, type CtrModelConfig, ctrModel, mixture } from '../models/ctr/index.js'
import { BatchStatistics } from '../nn/norm.js'
import { Parameters } from '../nn/parameters.js'
import { sigmoid } from '../ops/index.js'
import { exportOnnx } from '../ops/onnx/index.js'
import { program } from '../ops/program.js'
import { changedFiles, fileSums, Summing } from '../store/index.js'

/** Output [B]. */
export const probabilityOutput = 'probability'
/** Cosines [N] of behaviors and targets; absent for a model without content vectors. */
export const similarityOutput = 'similarity'
/** Attention weights [N] with which a part of the model sums behaviors. */
export const attentionOutput = (part: string) => `attention.${part}`

/** The numbers of impressions and of behaviors differ. */
const rowsOf = (name: string) => (/^(owner|history\.|attention\.|similarity)/.test(name) ? 'behaviors' : 'batch')

/**
 * Writes model.onnx into `folder`: the network and its embedding tables from `checkpoint`, a folder of `mim ctr`.
 * The inputs are those of training, with int64 ids and content vectors as `vectorInput`; for the outputs see above.
 * @throws UserError `tensor-missing`, `tensor-shape`, and those of `SafetensorsFile`
 */
export async function exportClickModel(
  checkpoint: string,
  features: CtrFeatures,
  { model: config, train }: { model: CtrModelConfig; train: { negatives: number } },
  folder: string,
): Promise<void> {
  const inputs = new CtrInputs(features, config.dim, { givenVectors: true })
  const mode = { statistics: new BatchStatistics(false), prefix: '' }
  const parameters = new Parameters()
  const mixed = ctrModel(parameters, inputs, config, mode)
  const attention = Object.entries(inputs.attention).map(([part, weights]) => [attentionOutput(part), weights] as const)
  const scoring = program({
    [probabilityOutput]: sigmoid(mixture(mixed, train.negatives)),
    ...Object.fromEntries(attention),
    ...(features.content ? { [similarityOutput]: inputs.relevance().cosines } : {}),
  })
  using weights = new SafetensorsFile(join(checkpoint, 'model.safetensors'))
  for (const { name, shape } of parameters.list()) weights.require(name, 'F32', shape)
  await replaceFolder(folder, (temporary) => {
    exportOnnx(join(temporary, modelFile), scoring, (name) => weights.floats(name), { rows: rowsOf })
    const sums = new Summing(temporary)
    for (const name of [modelFile, `${modelFile}.data`]) if (existsSync(join(temporary, name))) sums.addFile(name)
    writeFileSync(join(temporary, sumsFile), JSON.stringify(sums.finish()))
  })
}

const modelFile = 'model.onnx'
/** Sizes and checksums of the other files. */
const sumsFile = 'files.json'

/** Why the exported model in `folder` cannot be used: it is absent or spoilt. Undefined if it can. */
export function problemOfExport(folder: string): string | undefined {
  const [model, sums] = [modelFile, sumsFile].map((name) => join(folder, name))
  if (!existsSync(model)) return `${model} is missing`
  // Earlier versions wrote none.
  if (!existsSync(sums)) return undefined
  try {
    const files = readJson(sums, fileSums, { remedy: '' })
    const [changed] = changedFiles(folder, files)
    return changed && `${folder}: ${changed}`
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}
