/**
 * One training step of a dual encoder, as `mim pretrain` trains its towers: the peer's widths and depths,
 * symmetric InfoNCE with a learned temperature, AdamW. Ours does a layer norm more (before the vision
 * transformer, as CLIP has it). The same batch at each step, as in the peer.
 */

import { Random } from '../../src/base/random.js'
import type { VariableSpec } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import { makeTraining } from '../../src/engine/training.js'
import { temperature } from '../../src/losses/contrastive.js'
import { symmetricInfoNce } from '../../src/losses/infoNce.js'
import type { DualEncoderConfig } from '../../src/models/config.js'
import { imageFeatures, logitScale, textFeatures } from '../../src/models/dualEncoder.js'
import { pixelInput, tokenInput } from '../../src/models/encoder.js'
import { l2Normalize } from '../../src/nn/layers.js'
import { Parameters } from '../../src/nn/parameters.js'
import { add, matmul, type Shape, sum, type Tensor, variable } from '../../src/ops/index.js'
import { type Program, program } from '../../src/ops/program.js'
import { isOp, sizeOf } from '../../src/ops/tensor.js'
import { benchEngine, type Figures, type Size, secondsOf } from './measure.js'

const tower = { width: 256, layers: 4, heads: 4, hidden: 1024, activation: 'gelu', epsilon: 1e-5 }

export const config: DualEncoderConfig = {
  architecture: 'clip',
  vision: { ...tower, imageSize: 64, patch: 8 },
  text: { ...tower, tokenTypes: 2, vocabulary: 8192, positions: 32, padToken: 0, endToken: 8191 },
  projection: 128,
  logitScale: Math.log(1 / 0.07),
}
export const shape = { config, length: config.text.positions, fusion: undefined }

export async function clip(size: Size): Promise<Figures> {
  const { batch = 64, steps = 20 } = size
  const { step, session } = await openClip(size)
  const seconds = await secondsOf(step, steps)
  session.dispose()
  return { step_ms: seconds * 1e3, pairs_per_s: batch / seconds }
}

/** What part of a step its matrix products are, done alone: no step can be faster than these. */
export async function clipProducts(size: Size): Promise<Figures> {
  const { steps = 20 } = size
  const { step, session, engine, programs } = await openClip(size)
  const seconds = await secondsOf(step, steps)
  session.dispose()
  const { products, variables, operations } = productsOf(Object.values(programs))
  const bare = engine.open({ products }, variables)
  for (const { name, shape } of variables) bare.write(name, drawn(shape))
  const floor = await secondsOf(() => bare.run('products'), steps)
  bare.dispose()
  return { products_percent: (100 * floor) / seconds, products_ms: floor * 1e3, gflops: operations / floor / 1e9 }
}

/** The matrix products of `programs`, of variables of their own, and the multiplications and additions in them. */
function productsOf(programs: readonly Program[]) {
  const variables: VariableSpec[] = []
  let operations = 0
  const operand = ({ shape }: Tensor) => {
    const name = `operand.${variables.length}`
    variables.push({ name, shape, dtype: 'float32' })
    return variable(name, shape)
  }
  const all = programs.flatMap(({ nodes }) => nodes).filter((node) => isOp(node, 'matmul'))
  const outputs = all.map((node) => {
    const [a, b] = node.inputs
    const { transposeA, transposeB } = node.attrs
    operations += 2 * sizeOf(node.shape) * a.shape[a.shape.length - (transposeA ? 2 : 1)]
    // A result that nobody reads would not be computed.
    return sum(matmul(operand(a), operand(b), { transposeA, transposeB }))
  })
  const products = program({ total: outputs.reduce((x, y) => add(x, y)) })
  return { products, variables, operations }
}

const drawn = (shape: Shape) => {
  const random = Random.of('operand')
  return Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
}

async function openClip({ batch = 64 }: Size) {
  const engine = await benchEngine()
  const p = new Parameters()
  const image = l2Normalize(imageFeatures(p, pixelInput(shape, batch), config))
  const text = l2Normalize(textFeatures(p, tokenInput(shape, batch), config))
  const loss = symmetricInfoNce(image, text, temperature(logitScale(p, config)))
  const training = makeTraining(loss, p, [], { group: () => ({ weightDecay: 0.01 }) })
  const session = engine.open(training.programs, training.state)
  for (const parameter of p.list()) session.write(parameter.name, initialValues(parameter, 1))

  const { vision, text: words } = config
  const random = Random.of('batch')
  const pixels = Float32Array.from({ length: batch * 3 * vision.imageSize ** 2 }, () => random.normal())
  const ids = Int32Array.from({ length: batch * shape.length }, () => random.int(words.vocabulary))
  const inputs = {
    pixel_values: { data: pixels, shape: [batch, 3, vision.imageSize, vision.imageSize] },
    input_ids: { data: ids, shape: [batch, shape.length] },
  }
  let at = 0
  const step = () => training.step(session, [{ inputs, rows: batch }], at++, 5e-4)
  return { step, session, engine, programs: training.programs }
}
