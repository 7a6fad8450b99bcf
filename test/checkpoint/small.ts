/** A small checkpoint with weights, made without training. */
import { mkdirSync } from 'node:fs'
import { newModel } from '../../src/checkpoint/create.js'
import { writeModelFolder } from '../../src/checkpoint/model.js'
import { initialValues } from '../../src/engine/state.js'
import { logitScale } from '../../src/models/dualEncoder.js'
import { encoderPrograms, encoderShape } from '../../src/models/encoder.js'
import { Parameters } from '../../src/nn/parameters.js'

const sizes = { imageSize: 16, patch: 8, width: 8, layers: 1, heads: 2, textLength: 8, projection: 8 }

/** Writes a CLIP with random weights into `path`; with a fusion head of 12 dimensions if `fusion`. */
export function writeSmallCheckpoint(path: string, fusion = false): void {
  const model = newModel({ ...sizes, vocabulary: 560, tokenizer: null }, [
    'red shoes',
    'red mug',
    'blue shoes',
    'blue mug',
  ])
  const mim = fusion ? { fusion: { width: 12 } } : {}
  const p = new Parameters()
  encoderPrograms(p, encoderShape({ ...model, mim }))
  logitScale(p, model.config)
  const values = new Map(p.list().map((parameter) => [parameter.name, initialValues(parameter, 1)]))
  mkdirSync(path, { recursive: true })
  writeModelFolder(path, { ...model, mim }, p.list(), (name) => values.get(name)!)
}
