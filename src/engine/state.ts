/** Initial values of variables, and variables of a session to and from files. */
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

/** Writes variables to a safetensors file under their names, or under `rename` of them. */
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
      data: () => session.read(name),
    }),
  )
  writeSafetensors(path, sources)
}

/** Sets variables from a file that `saveVariables` wrote with the same `rename`. */
export function loadVariables(
  session: Session,
  variables: readonly VariableSpec[],
  path: string,
  rename = (name: string) => name,
) {
  using file = new SafetensorsFile(path)
  for (const { name, dtype } of variables) {
    session.write(name, dtype === 'int32' ? file.ints(rename(name)) : file.floats(rename(name)))
  }
}
