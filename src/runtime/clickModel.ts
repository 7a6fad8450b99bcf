/** A trained click model as ONNX: scores and, to explain them, similarities and attention weights. */
import { join } from 'node:path'
import { replaceFolder } from '../base/files.js'
import { SafetensorsFile } from '../formats/safetensors.js'
import { type CtrFeatures, CtrInputs, type CtrModelConfig, ctrModel, mixture } from '../models/ctr/index.js'
import { BatchStatistics } from '../nn/norm.js'
import { Parameters } from '../nn/parameters.js'
import { sigmoid } from '../ops/index.js'
import { exportOnnx } from '../ops/onnx/index.js'
import { program } from '../ops/program.js'

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
 */
export async function exportClickModel(
  checkpoint: string,
  features: CtrFeatures,
  { model: config, train }: { model: CtrModelConfig; train: { negatives: number } },
  folder: string,
): Promise<void> {
  const inputs = new CtrInputs(features, config.dim, { givenVectors: true })
  const mode = { statistics: new BatchStatistics(false), prefix: '' }
  const mixed = ctrModel(new Parameters(), inputs, config, mode)
  const attention = Object.entries(inputs.attention).map(([part, weights]) => [attentionOutput(part), weights] as const)
  const scoring = program({
    [probabilityOutput]: sigmoid(mixture(mixed, train.negatives)),
    ...Object.fromEntries(attention),
    ...(features.content ? { [similarityOutput]: inputs.relevance().cosines } : {}),
  })
  using weights = new SafetensorsFile(join(checkpoint, 'model.safetensors'))
  await replaceFolder(folder, (temporary) =>
    exportOnnx(join(temporary, 'model.onnx'), scoring, (name) => weights.floats(name), { rows: rowsOf }),
  )
}
