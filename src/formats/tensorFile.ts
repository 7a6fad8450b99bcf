/** What files of tensors have in common: safetensors and the files of PyTorch. */
import { UserError } from '../base/errors.js'

/** Bytes per number of each type, including types that mim only copies. */
export const bytesOf = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1 },
  ...{ U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4 },
  ...{ U64: 8, I64: 8, F64: 8 },
}

export type StoredType = keyof typeof bytesOf

/** An open file of tensors. Tensors are read one by one, so that files larger than memory can be copied. */
export interface TensorFile extends Disposable {
  readonly path: string
  readonly names: readonly string[]
  shape(name: string): readonly number[]
  dtype(name: string): StoredType
  /** The tensor's numbers in row-major order, little endian, in their stored type. */
  raw(name: string): Buffer
  /** The tensor as float32. @throws UserError `tensor-type` if its type is not a float of 16 bits or more. */
  floats(name: string): Float32Array
  close(): void
}

export const elementsOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Bytes of a tensor. */
export const byteLength = (shape: readonly number[], dtype: StoredType) => elementsOf(shape) * bytesOf[dtype]

/** The tensor `name` of `file` as float32, converted from F64, F16 or BF16 if necessary. */
export function floatsOf(file: TensorFile, name: string): Float32Array {
  const dtype = file.dtype(name)
  const raw = isFloat(dtype) ? file.raw(name) : undefined
  if (dtype === 'F32') return new Float32Array(raw!.buffer, raw!.byteOffset, raw!.length / 4)
  if (dtype === 'F64') return Float32Array.from(new Float64Array(raw!.buffer, raw!.byteOffset, raw!.length / 8))
  if (dtype === 'F16') return fromFloat16(halves(raw!))
  if (dtype === 'BF16') return fromBfloat16(halves(raw!))
  const what = `tensor '${name}' is ${dtype}`
  throw new UserError({ id: 'tensor-type', where: file.path, what, expected: 'F64, F32, F16 or BF16' })
}

const isFloat = (dtype: StoredType) => dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16'

const halves = (raw: Buffer) => new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2)

/** Position of the first NaN or infinity in the tensor `name`, in row-major order; -1 if there is none. */
export function firstNonFinite(file: TensorFile, name: string): number {
  const dtype = file.dtype(name)
  if (!isFloat(dtype)) return -1
  const raw = file.raw(name)
  if (dtype === 'F64') {
    return new Float64Array(raw.buffer, raw.byteOffset, raw.length / 8).findIndex((x) => !Number.isFinite(x))
  }
  // In the other types all bits of the exponent are set exactly for NaN and infinity.
  const exponent = { F32: 0x7f800000, BF16: 0x7f80, F16: 0x7c00 }[dtype as 'F32' | 'BF16' | 'F16']
  const bits = dtype === 'F32' ? new Uint32Array(raw.buffer, raw.byteOffset, raw.length / 4) : halves(raw)
  for (let i = 0; i < bits.length; i++) if ((bits[i] & exponent) === exponent) return i
  return -1
}

function fromBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16
  return new Float32Array(wide.buffer)
}

function fromFloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >> 10) & 31
    const fraction = bits[i] & 1023
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? Number.NaN
            : Infinity
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    out[i] = bits[i] & 0x8000 ? -size : size
  }
  return out
}
