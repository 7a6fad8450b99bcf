/** Adapts a checkpoint: another picture resolution, another projection dimension, a shorter context length. */
import { UserError } from '../base/errors.js'
import { parseModelConfig } from '../models/config.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { ModelFolder } from './folder.js'
import { parsePreprocessing } from './preprocessing.js'
import type { Weights } from './weights.js'

/** Changes to a model; null: no change. */
export interface Adaptation {
  /** Resolution: pixels along a side. */
  imageSize: number | null
  /** Projection dimension: width of image and text vectors. */
  projection: number | null
  /** Context length: tokens of a text. */
  textLength: number | null
}

type Json = Record<string, unknown>

/** @throws UserError `adapt` for a change that the architecture does not allow. */
export function adaptModel(model: ModelFolder, { imageSize, projection, textLength }: Adaptation): ModelFolder {
  const { config, path } = model
  const { architecture, vision, text } = config
  const refuse = (what: string, expected: string) => new UserError({ id: 'adapt', where: path, what, expected })
  let { configJson, preprocessorJson, tokenizer } = model
  if (imageSize !== null && imageSize !== vision.imageSize) {
    if (imageSize % vision.patch !== 0) throw refuse(`adapt.imageSize ${imageSize}`, `a multiple of ${vision.patch}`)
    configJson = withTower(configJson, 'vision', { image_size: imageSize })
    preprocessorJson = resized(preprocessorJson, imageSize / vision.imageSize)
  }
  if (projection !== null && projection !== config.projection) {
    // SigLIP has no projection: its vectors are as wide as its towers.
    if (architecture === 'siglip') throw refuse(`adapt.projection ${projection}`, `${config.projection} for a SigLIP`)
    const width = { projection_dim: projection }
    configJson = { ...withTower(withTower(configJson, 'vision', width), 'text', width), ...width }
  }
  if (textLength !== null) {
    // SigLIP's text vector is read at the last position, which was trained for this length only.
    const longest = text.positions
    if (architecture === 'siglip' && textLength !== longest) {
      throw refuse(`adapt.textLength ${textLength}`, `${longest} for a SigLIP`)
    }
    if (textLength > longest) throw refuse(`adapt.textLength ${textLength}`, `at most ${longest}`)
    tokenizer = { ...tokenizer, config: { ...tokenizer.config, model_max_length: textLength } }
  }
  const adapted = parseModelConfig(configJson, path)
  return {
    ...model,
    configJson,
    config: adapted,
    preprocessorJson,
    preprocessing: parsePreprocessing(preprocessorJson, adapted, path),
    tokenizer,
  }
}

/** config.json with other values in a tower's section, under each name that the section may have. */
function withTower(configJson: Json, tower: 'vision' | 'text', values: Json): Json {
  const parts = [`${tower}_config`, `${tower}_config_dict`].filter((key) => configJson[key] || !key.endsWith('_dict'))
  const changed = parts.map((key) => [key, { ...(configJson[key] as Json | undefined), ...values }])
  return { ...configJson, ...Object.fromEntries(changed) }
}

/** Settings of an image processor with all lengths `factor` times as large. */
function resized(json: Json, factor: number): Json {
  const scaled = (size: unknown): unknown => {
    if (typeof size === 'number') return Math.round(size * factor)
    if (size === null) return null
    if (Array.isArray(size)) return size.map(scaled)
    return Object.fromEntries(Object.entries(size as object).map(([key, value]) => [key, scaled(value)]))
  }
  const lengths = ['size', 'crop_size'].filter((key) => json[key] !== undefined && json[key] !== null)
  return { ...json, ...Object.fromEntries(lengths.map((key) => [key, scaled(json[key])])) }
}

/**
 * `weights` as an adapted model reads them. Position embeddings of pictures are interpolated. Rows of a projection that
 * exist in both sizes are kept; new rows come from `fresh`.
 */
export function adaptedWeights(weights: Weights, fresh: (parameter: ParameterSpec) => Float32Array) {
  return {
    names: weights.names,
    [Symbol.dispose]: () => weights.close(),
    read(parameter: ParameterSpec): Float32Array | null {
      const { name, shape } = parameter
      if (!weights.names.includes(name)) return null
      const found = weights.shape(name)
      if (found.join() === shape.join()) return weights.read(parameter)
      const isProjection = /^(visual|text)_projection\.weight$/.test(name)
      if (name === positionTable) return interpolated(weights.read({ name, shape: found })!, found[0], shape)
      if (isProjection && found[1] === shape[1]) {
        const values = fresh(parameter)
        const kept = weights.read({ name, shape: found })!
        values.set(kept.subarray(0, values.length))
        return values
      }
      // A fusion head over vectors of another width cannot be used.
      return name.startsWith('fusion.') ? null : weights.read(parameter)
    },
  }
}

const positionTable = 'vision_model.embeddings.position_embedding.weight'

/**
 * Resizes a table of position embeddings [1 + g², width], or [g², width] without a class token, to the shape of the
 * third argument: bicubic on the grid of patches, as `interpolate_pos_encoding` of transformers.
 */
export function interpolated(table: Float32Array, rows: number, [newRows, width]: readonly number[]): Float32Array {
  const grid = Math.floor(Math.sqrt(rows))
  const extra = rows - grid * grid
  const size = Math.sqrt(newRows - extra)
  const out = new Float32Array(newRows * width)
  out.set(table.subarray(0, extra * width))
  const taps = cubicTaps(grid, size)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const to = (extra + y * size + x) * width
      for (const [row, down] of taps[y]) {
        for (const [column, across] of taps[x]) {
          const from = (extra + row * grid + column) * width
          for (let k = 0; k < width; k++) out[to + k] += down * across * table[from + k]
        }
      }
    }
  }
  return out
}

/** For each of `to` places along a line: the four of `from` places that it is computed from, with weights (a = −¾). */
function cubicTaps(from: number, to: number): [place: number, weight: number][][] {
  const a = -0.75
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  return Array.from({ length: to }, (_, i) => {
    const at = ((i + 0.5) * from) / to - 0.5
    const first = Math.floor(at)
    const t = at - first
    const weights = [far(t + 1), near(t), near(1 - t), far(2 - t)]
    return weights.map((weight, k) => [Math.min(Math.max(first - 1 + k, 0), from - 1), weight])
  })
}
