/** Preprocessing of pictures: preprocessor_config.json of Hugging Face's image processors. */
import { UserError } from '../base/errors.js'
import type { Fit } from '../data/pictures/decode.js'
import type { Architecture, DualEncoderConfig } from '../models/config.js'

export interface Preprocessing {
  /** Mean and standard deviation of each channel, on the scale 0 to 1. */
  mean: number[]
  std: number[]
  fit: Fit
}

interface Normal {
  mean: number[]
  std: number[]
}

const clipNormal: Normal = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
}
const halfNormal: Normal = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

const normals: Record<Architecture, Normal> = { clip: clipNormal, chinese_clip: clipNormal, siglip: halfNormal }

/** Resampling filters: PIL's number → sharp's name. */
const kernels = new Map([
  [0, 'nearest'],
  [1, 'lanczos3'],
  [2, 'linear'],
  [3, 'cubic'],
] as const)

type Size = number | { shortest_edge?: number; height?: number; width?: number }

/** The keys that matter; all have defaults in the processor classes. */
interface ProcessorJson {
  do_resize?: boolean
  size?: Size
  resample?: number
  do_center_crop?: boolean
  crop_size?: Size
  do_rescale?: boolean
  rescale_factor?: number
  do_normalize?: boolean
  image_mean?: number[]
  image_std?: number[]
}

/**
 * Parses `json`, the content of the file at `path`; missing keys have the defaults of the architecture's processor.
 * @throws UserError `preprocessor` if the result is not a square of the model's size, or for an unknown filter.
 */
export function parsePreprocessing(
  json: Record<string, unknown>,
  { architecture, vision: { imageSize } }: DualEncoderConfig,
  path: string,
): Preprocessing {
  const given = json as ProcessorJson
  const refuse = (what: string, expected: string) => new UserError({ id: 'preprocessor', where: path, what, expected })
  if (given.do_resize === false) throw refuse('do_resize is false', 'true: pictures come in all sizes')
  const kernel = kernels.get((given.resample ?? 3) as 3)
  if (!kernel) throw refuse(`resample ${given.resample}`, [...kernels].map((entry) => entry.join(': ')).join(', '))

  const siglip = architecture === 'siglip'
  const size = given.size ?? (siglip ? { height: imageSize, width: imageSize } : { shortest_edge: imageSize })
  const exact = siglip ? squareOf(size) : typeof size === 'number' ? undefined : squareOf(size)
  const shortest = exact ?? (typeof size === 'number' ? size : size.shortest_edge)
  if (shortest === undefined) throw refuse(`size ${JSON.stringify(size)}`, 'a shortest edge or a square')
  const crops = given.do_center_crop ?? !siglip
  const made = crops ? squareOf(given.crop_size ?? imageSize) : exact
  if (made !== imageSize || shortest < imageSize) {
    const what = `size ${JSON.stringify(size)}, ${crops ? `crop_size ${JSON.stringify(given.crop_size)}` : 'not cropped'}`
    throw refuse(what, `squares of ${imageSize} pixels by config.json`)
  }
  const mode = exact === undefined ? 'cover' : 'fill'
  return {
    ...normalOf(given, normals[architecture]),
    fit: shortest === imageSize && kernel === 'cubic' ? mode : { mode, shortest, kernel },
  }
}

/** Side of a square; undefined if the size is not square. */
function squareOf(size: Size): number | undefined {
  if (typeof size === 'number') return size
  return size.height === size.width ? size.height : undefined
}

/** Mean and standard deviation on the scale 0 to 1, converted from the processor's scale. */
function normalOf(given: ProcessorJson, preset: Normal): Normal {
  const factor = given.do_rescale === false ? 1 : (given.rescale_factor ?? 1 / 255)
  const normalizes = given.do_normalize !== false
  const mean = normalizes ? (given.image_mean ?? preset.mean) : [0, 0, 0]
  const std = normalizes ? (given.image_std ?? preset.std) : [1, 1, 1]
  const scale = 255 * factor
  // 1/255 as written in JSON is inexact; the usual case must stay exact.
  if (Math.abs(scale - 1) < 1e-9) return { mean, std }
  return { mean: mean.map((m) => m / scale), std: std.map((s) => s / scale) }
}

/** The preprocessor_config.json of a new model, or of one without such a file. */
export function preprocessorFor({ architecture, vision: { imageSize } }: DualEncoderConfig): Record<string, unknown> {
  const square = { height: imageSize, width: imageSize }
  const { mean, std } = normals[architecture]
  const common = { do_resize: true, resample: 3, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true }
  if (architecture === 'siglip') {
    return {
      ...common,
      image_processor_type: 'SiglipImageProcessor',
      size: square,
      image_mean: mean,
      image_std: std,
    }
  }
  return {
    ...common,
    image_processor_type: architecture === 'clip' ? 'CLIPImageProcessor' : 'ChineseCLIPImageProcessor',
    size: { shortest_edge: imageSize },
    do_center_crop: true,
    crop_size: square,
    do_convert_rgb: true,
    image_mean: mean,
    image_std: std,
  }
}
