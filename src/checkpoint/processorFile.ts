/** The settings of the image processor in a checkpoint folder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { UserError } from '../base/errors.js'
import type { Warning } from '../base/warning.js'
import { readJson } from '../formats/pythonJson.js'
import type { DualEncoderConfig } from '../models/config.js'
import { type Preprocessing, parsePreprocessing, preprocessorFor } from './preprocessing.js'

/** transformers 5 writes all processors into the first file, transformers 4 only the one of pictures into the second. */
export const processorFiles = ['processor_config.json', 'preprocessor_config.json'] as const

export interface ImageProcessor {
  json: Record<string, unknown>
  /** Keys with floating-point values. */
  floats: ReadonlySet<string>
  preprocessing: Preprocessing
}

/**
 * Reads the settings from `image_processor` in processor_config.json, else from preprocessor_config.json, as
 * transformers 5 does. Warns if the folder has neither: then those of the architecture in transformers are assumed.
 * @throws UserError `json-broken`, `preprocessor`.
 */
export function readImageProcessor(
  folder: string,
  config: DualEncoderConfig,
  warn: (warning: Warning) => void,
): ImageProcessor {
  const [nested, plain] = [
    nestedSettings(join(folder, processorFiles[0])),
    plainSettings(join(folder, processorFiles[1])),
  ]
  const found = nested ?? plain
  if (!found) {
    const json = preprocessorFor(config)
    const what = `there is no ${processorFiles.join(' or ')}: assuming the ${json['image_processor_type']} of transformers`
    const remedy = 'copy the file of the model if its pictures were prepared in another way'
    warn({ id: 'preprocessor-missing', where: folder, what, remedy })
    return { json, floats: new Set(), preprocessing: parsePreprocessing(json, config, folder) }
  }
  const preprocessing = parsePreprocessing(found.json, config, found.where, warn)
  if (nested && plain && !isSame(preprocessing, plain, config)) {
    const what = `${processorFiles.join(' and ')} say different things: reading the first, as transformers 5 does`
    warn({ id: 'preprocessor-differs', where: folder, what, remedy: 'remove the wrong one' })
  }
  return { ...found, preprocessing }
}

interface Settings {
  where: string
  json: Record<string, unknown>
  floats: ReadonlySet<string>
}

function nestedSettings(path: string): Settings | undefined {
  if (!existsSync(path)) return undefined
  const { json, floats } = readJson(path)
  const settings = json['image_processor'] ?? undefined
  if (settings === undefined) return undefined
  const where = `${path}: image_processor`
  if (typeof settings === 'object' && !Array.isArray(settings)) {
    return { where, json: settings as Record<string, unknown>, floats }
  }
  throw new UserError({ id: 'preprocessor', where, what: JSON.stringify(settings), expected: 'an object' })
}

const plainSettings = (path: string): Settings | undefined =>
  existsSync(path) ? { where: path, ...readJson(path) } : undefined

function isSame(preprocessing: Preprocessing, { json, where }: Settings, config: DualEncoderConfig): boolean {
  try {
    return isDeepStrictEqual(parsePreprocessing(json, config, where), preprocessing)
  } catch (error) {
    if (error instanceof UserError) return false
    throw error
  }
}
