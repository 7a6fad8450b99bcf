/** Initial values of variables, and variables of a session to and from files. */
import { UserError } from '../base/errors.js'
import { Random } from '../base/random.js'
import { SafetensorsFile, type TensorSource, writeSafetensors } from '../formats/safetensors.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { Session, VariableSpec } from './session.js'

/** Tables are initialized in pieces of about this many numbers. */
const pieceSize = 2 ** 22

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Initial values of a parameter, determined by the seed and its name. */
export function initialValues({ name, shape, init }: ParameterSpec, seed: number): Float32Array {
  const values = new Float32Array(sizeOf(shape))
  if ('fill' in init) return values.fill(init.fill)
  if ('eye' in init) {
    // [I I …] · eye: the mean of several parts of equal width, one after another in the columns.
    const [rows, columns] = shape
    for (let r = 0; r < rows; r++) for (let c = r % columns; c < columns; c += rows) values[r * columns + c] = init.eye
    return values
  }
  const random = Random.of(seed, 'init', name)
  for (let i = 0; i < values.length; i++) values[i] = random.normal() * init.std
  return values
}

/** Fills the rows of a table [rows, width] from 1 on with N(0, std²); row 0 is padding and stays zero. */
export function initializeTable(
  session: Session,
  { name, shape: [rows, width] }: VariableSpec,
  std: number,
  seed: number,
) {
  const piece = Math.max(1, Math.floor(pieceSize / width))
  const random = Random.of(seed, 'init', name)
  for (let from = 1; from < rows; from += piece) {
    const values = new Float32Array((Math.min(rows, from + piece) - from) * width)
    for (let i = 0; i < values.length; i++) values[i] = random.normal() * std
    session.write(name, values, from)
  }
}

/**
 * The values of a trained parameter, before they are saved over good ones: an update may break the weights although its
 * loss was finite.
 * @throws UserError `diverged` for a NaN or an infinity
 */
export function requireFinite<T extends ArrayBufferView>(name: string, values: T): T {
  if (!(values instanceof Float32Array)) return values
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue
    throw new UserError({
      id: 'diverged',
      what: `training diverged: number ${i + 1} of '${name}' is ${values[i]}; what was saved before is kept`,
      remedy: 'lower train.learningRate, raise train.warmup, or set train.clipNorm',
    })
  }
  return values
}

/**
 * Writes variables to a safetensors file under their names, or under `rename` of them.
 * @throws UserError `diverged`
 */
export function saveVariables(
  session: Session,
  variables: readonly VariableSpec[],
  path: string,
  rename = (name: string) => name,
) {
  const sources = variables.map(
    ({ name, shape, dtype }): TensorSource => ({
      name: rename(name),
      shape,
      dtype: dtype === 'int32' ? 'I32' : 'F32',
      data: () => requireFinite(rename(name), session.read(name)),
    }),
  )
  writeSafetensors(path, sources)
}

/**
 * Sets variables from a file that `saveVariables` wrote with the same `rename`.
 * @throws UserError `tensor-missing`, `tensor-shape`, and those of `SafetensorsFile`
 */
export function loadVariables(
  session: Session,
  variables: readonly VariableSpec[],
  path: string,
  rename = (name: string) => name,
) {
  using file = new SafetensorsFile(path)
  for (const { name, dtype, shape } of variables) {
    file.require(rename(name), dtype === 'int32' ? 'I32' : 'F32', shape)
    session.write(name, dtype === 'int32' ? file.ints(rename(name)) : file.floats(rename(name)))
  }
}
