/** Preprocessing of pictures, from the settings of Hugging Face's image processors. */
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import type { Warning } from '../base/warning.js'
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

/** The image processors that each architecture has in transformers; another one may be named in the settings. */
const processors: Record<Architecture, string> = {
  clip: 'CLIPImageProcessor',
  chinese_clip: 'ChineseCLIPImageProcessor',
  siglip: 'SiglipImageProcessor',
}

/** Defaults of an image processor. */
interface ProcessorDefaults extends Normal {
  resample: number
  crops: boolean
  /** Whether one number is the size of a square, not of the shorter side. */
  square: boolean
}

const clipDefaults: ProcessorDefaults = { ...clipNormal, resample: 3, crops: true, square: false }

const defaults = new Map<string, ProcessorDefaults>([
  ['CLIPImageProcessor', clipDefaults],
  ['ChineseCLIPImageProcessor', clipDefaults],
  ['BitImageProcessor', clipDefaults],
  ['SiglipImageProcessor', { ...halfNormal, resample: 3, crops: false, square: true }],
  ['ViTImageProcessor', { ...halfNormal, resample: 2, crops: false, square: true }],
])

/** Resampling filters: PIL's number → sharp's name. */
const kernels = new Map([
  [0, 'nearest'],
  [1, 'lanczos3'],
  [2, 'linear'],
  [3, 'cubic'],
] as const)

type Size = { shortest?: number; height?: number; width?: number }

/** Pixels along a side: no model sees larger pictures. */
const pixels = z.number().positive().max(16_384)
const edge = pixels.nullish()
const size = z.union([
  pixels,
  z.tuple([pixels, pixels]),
  z.strictObject({ height: edge, width: edge, shortest_edge: edge, longest_edge: z.null().optional() }),
])
const channels = z.union([z.number(), z.array(z.number()).length(3)])

/** The keys that matter; all have defaults in the processor classes. */
const settings = z.looseObject({
  image_processor_type: z.string().nullish(),
  /** The name before transformers 4.26. */
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().nullish(),
  size: size.nullish(),
  default_to_square: z.boolean().nullish(),
  resample: z.int().nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: size.nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: channels.nullish(),
  image_std: z.union([z.number().positive(), z.array(z.number().positive()).length(3)]).nullish(),
})
type Settings = z.infer<typeof settings>

/** Keys without effect on the pixels of an RGB picture. */
const harmless = new Set(
  'auto_map backend data_format device disable_grouping do_convert_rgb input_data_format processor_class return_tensors use_fast'.split(
    ' ',
  ),
)

/**
 * Parses `json`, the settings of the image processor in the file at `path`; missing keys have the defaults of the
 * processor that they name, or else of the one of the architecture. Warns of keys that it does not know.
 * @throws UserError `preprocessor` if the result is not a square of the model's size, if it does not know a value, or
 * if an unknown processor leaves keys to its defaults.
 */
export function parsePreprocessing(
  json: Record<string, unknown>,
  { architecture, vision: { imageSize } }: DualEncoderConfig,
  path: string,
  warn: (warning: Warning) => void = () => {},
): Preprocessing {
  const refuse: Refuse = (what, expected) => new UserError({ id: 'preprocessor', where: path, what, expected })
  const given = parseSettings(json, refuse)
  const preset = defaultsOf(given, architecture, refuse, (what) => warn({ id: 'preprocessor-type', where: path, what }))
  const ignored = ignoredKeys(json, refuse)
  if (ignored.length > 0) {
    warn({ id: 'preprocessor-key', where: path, what: `mim does not know and ignores ${ignored.join(', ')}` })
  }
  if (given.do_resize === false) throw refuse('do_resize is false', 'true: pictures come in all sizes')
  const kernel = kernels.get((given.resample ?? preset.resample) as 3)
  if (!kernel) throw refuse(`resample ${given.resample}`, [...kernels].map((entry) => entry.join(': ')).join(', '))

  const square = given.default_to_square ?? preset.square
  const stated = given.size ? sizeOf(given.size, square) : square ? squareOf(imageSize) : { shortest: imageSize }
  const isExact = stated.height !== undefined && stated.height === stated.width
  const shortest = isExact ? stated.height! : stated.shortest
  if (shortest === undefined) throw refuse(`size ${JSON.stringify(given.size)}`, 'a shortest edge or a square')
  const crops = given.do_center_crop ?? preset.crops
  const cropped = given.crop_size ? sizeOf(given.crop_size, true) : squareOf(imageSize)
  const made = crops ? cropped : isExact ? stated : {}
  if (made.height !== imageSize || made.width !== imageSize || shortest < imageSize) {
    const what = `size ${JSON.stringify(given.size)}, ${crops ? `crop_size ${JSON.stringify(given.crop_size)}` : 'not cropped'}`
    throw refuse(what, `squares of ${imageSize} pixels by config.json`)
  }
  const mode = isExact ? 'fill' : 'cover'
  return {
    ...normalOf(given, preset),
    fit: shortest === imageSize && kernel === 'cubic' ? mode : { mode, shortest, kernel },
  }
}

type Refuse = (what: string, expected?: string) => UserError

function parseSettings(json: Record<string, unknown>, refuse: Refuse): Settings {
  const parsed = settings.safeParse(json)
  if (parsed.success) return parsed.data
  const [{ path, message }] = parsed.error.issues
  const key = String(path[0])
  throw refuse(`${key} ${JSON.stringify(json[key])}`, /size$/.test(key) ? sizes : message)
}

const sizes = 'a number, {"shortest_edge": n} or {"height": n, "width": n}'

/** The defaults of the processor that the settings name, without its suffix for a backend. */
function defaultsOf(
  given: Settings,
  architecture: Architecture,
  refuse: Refuse,
  warn: (what: string) => void,
): ProcessorDefaults {
  const named = given.image_processor_type ?? given.feature_extractor_type ?? processors[architecture]
  const found = defaults.get(named.replace(/(Fast|Pil)$/, '').replace(/FeatureExtractor$/, 'ImageProcessor'))
  if (found) return found
  const needed = [
    'size',
    'resample',
    'do_center_crop',
    'do_rescale',
    'do_normalize',
    'image_mean',
    'image_std',
  ] as const
  const missing = needed.filter((key) => given[key] === undefined || given[key] === null)
  if (missing.length > 0) {
    const known = [...defaults.keys()].join(', ')
    throw refuse(
      `the processor ${named} is not known and its file lacks ${missing.join(', ')}`,
      `these keys, or one of ${known}`,
    )
  }
  warn(`mim does not know the processor ${named} and does what its keys say: resizes, crops, rescales and normalizes`)
  return defaults.get(processors[architecture])!
}

/** Keys with a value that has no meaning here. @throws `preprocessor` for a step that mim does not do. */
function ignoredKeys(json: Record<string, unknown>, refuse: Refuse): string[] {
  const unknown = Object.entries(json).filter(
    ([key, value]) =>
      !(key in settings.shape) && !harmless.has(key) && !key.startsWith('_') && value !== null && value !== false,
  )
  const step = unknown.find(([key, value]) => key.startsWith('do_') && value === true)
  if (step) throw refuse(`${step[0]} is true`, 'false: mim does not do this')
  return unknown.map(([key]) => key)
}

const squareOf = (side: number): Size => ({ height: side, width: side })

function sizeOf(given: z.infer<typeof size>, square: boolean): Size {
  if (typeof given === 'number') return square ? squareOf(given) : { shortest: given }
  if (Array.isArray(given)) return { height: given[0], width: given[1] }
  const { height, width, shortest_edge: shortest } = given
  // As in transformers, the shorter side counts if both are given.
  return shortest ? { shortest } : { height: height ?? undefined, width: width ?? undefined }
}

/** Mean and standard deviation on the scale 0 to 1, converted from the processor's scale. */
function normalOf(given: Settings, preset: Normal): Normal {
  const factor = given.do_rescale === false ? 1 : (given.rescale_factor ?? 1 / 255)
  const normalizes = given.do_normalize !== false
  const each = (value: number | number[]) => (typeof value === 'number' ? [value, value, value] : value)
  const mean = normalizes ? each(given.image_mean ?? preset.mean) : [0, 0, 0]
  const std = normalizes ? each(given.image_std ?? preset.std) : [1, 1, 1]
  const scale = 255 * factor
  // 1/255 as written in JSON is inexact; the usual case must stay exact.
  if (Math.abs(scale - 1) < 1e-9) return { mean, std }
  return { mean: mean.map((m) => m / scale), std: std.map((s) => s / scale) }
}

/** The preprocessor_config.json of a new model, or of one without such a file. */
export function preprocessorFor({ architecture, vision: { imageSize } }: DualEncoderConfig): Record<string, unknown> {
  const square = { height: imageSize, width: imageSize }
  const { mean, std } = defaults.get(processors[architecture])!
  const common = { do_resize: true, resample: 3, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true }
  if (architecture === 'siglip') {
    return {
      ...common,
      image_processor_type: processors[architecture],
      size: square,
      image_mean: mean,
      image_std: std,
    }
  }
  return {
    ...common,
    image_processor_type: processors[architecture],
    size: { shortest_edge: imageSize },
    do_center_crop: true,
    crop_size: square,
    do_convert_rgb: true,
    image_mean: mean,
    image_std: std,
  }
}
