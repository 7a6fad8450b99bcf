/** Resizing with antialiasing as Pillow does it, which Hugging Face's image processors are made on. */

import { openModule } from '../../base/webAssembly.js'
import { resampleModule } from './resampleModule.js'

/** Part of a resized picture: its full size, and the square of `size` pixels that is wanted, from `left`, `top`. */
export interface Window {
  width: number
  height: number
  left: number
  top: number
  size: number
}

/** Pixels of 3 or 4 bytes, the fourth of no meaning, or of 1 or 2 for gray, as one number each: red is the lowest byte. */
export function pixelWords(bytes: Uint8Array, pixels: number): Uint32Array {
  const channels = bytes.length / pixels
  if (channels === 4 && bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, pixels)
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2]
  const words = new Uint32Array(pixels)
  for (let i = 0, at = 0; i < pixels; i++, at += channels) {
    words[i] = bytes[at] | (bytes[at + green] << 8) | (bytes[at + blue] << 16)
  }
  return words
}

/** The passes, in WebAssembly for the sake of SIMD; places in memory and distances between lines are in bytes. */
interface Passes {
  memory: WebAssembly.Memory
  alongRows(
    ...args: [from: number, rows: number, inLine: number, to: number, outLine: number, size: number, ...TapPlaces]
  ): void
  alongColumns(...args: [from: number, line: number, to: number, outLine: number, size: number, ...TapPlaces]): void
}
type TapPlaces = [first: number, count: number, weights: number, stride: number]

let opened: Passes | undefined
function passes(): Passes {
  opened ??= openModule<Passes>(Buffer.from(resampleModule, 'base64'))
  return opened
}

/** Bytes of the picture that are in the passes' memory at a time, if a line is not longer. */
const bandBytes = 2 ** 18

/**
 * Pixels [height, width], see `pixelWords`, resized to the RGB bytes of `window`, [size, size, 3]. First along rows,
 * rounded, then along columns (Pillow's order), and only what the window shows.
 */
export function resample(
  pixels: Uint32Array,
  width: number,
  height: number,
  window: Window,
  kernel: Kernel,
): Uint8Array {
  const { size } = window
  const { memory, alongRows, alongColumns } = passes()
  const across = taps(width, window.width, window.left, size, kernel)
  const down = taps(height, window.height, window.top, size, kernel)
  const firstRow = down.first[0]
  const lastRow = down.first[size - 1] + down.count[size - 1]
  const band = Math.max(1, Math.min(lastRow - firstRow, Math.floor(bandBytes / (4 * width))))
  // Where all lies: taps, lines of the picture, lines after the first pass in vectors of four pixels, the outcome.
  const line = (4 * size + 15) & ~15
  const downAt = across.packed.byteLength
  const bandAt = downAt + down.packed.byteLength
  const narrowAt = bandAt + 4 * width * band
  const outAt = narrowAt + line * (lastRow - firstRow)
  const end = outAt + 3 * size * size + 16
  const missing = Math.ceil((end - memory.buffer.byteLength) / 2 ** 16)
  if (missing > 0) memory.grow(missing)
  const words = new Int32Array(memory.buffer)
  words.set(across.packed)
  words.set(down.packed, downAt / 4)
  for (let y = firstRow; y < lastRow; y += band) {
    const rows = Math.min(band, lastRow - y)
    words.set(pixels.subarray(y * width, (y + rows) * width), bandAt / 4)
    alongRows(bandAt, rows, 4 * width, narrowAt + (y - firstRow) * line, line, size, ...places(across, 0, size))
  }
  alongColumns(narrowAt - firstRow * line, line, outAt, 3 * size, size, ...places(down, downAt, size))
  return new Uint8Array(memory.buffer.slice(outAt, outAt + 3 * size * size))
}

const places = ({ stride }: Taps, at: number, size: number): TapPlaces => [at, at + 4 * size, at + 8 * size, 4 * stride]

/** Weights are whole numbers of 2^-22, as resample.wat takes them, so that sums of 8-bit pixels stay below 2^31. */
const bits = 22

/** For each output pixel: the first input pixel, how many of them, and their weights, `stride` numbers apart. */
interface Taps {
  first: Int32Array
  count: Int32Array
  stride: number
  /** First, count and weights, one after another. */
  packed: Int32Array
}

/** Pictures of a catalogue have few sizes. */
const known = new Map<string, Taps>()
const mostKnown = 256

/** Weights that make `to` pixels of `from`, for the `size` of them that start at `offset`. */
function taps(from: number, to: number, offset: number, size: number, kernel: Kernel): Taps {
  const key = `${from} ${to} ${offset} ${size} ${kernel}`
  const found = known.get(key)
  if (found) return found
  const scale = from / to
  // The nearest pixel alone, however much smaller the picture becomes.
  const widening = kernel === 'nearest' ? 1 : Math.max(scale, 1)
  const support = kernels[kernel].support * widening
  const weightOf = kernels[kernel].weight
  const stride = Math.ceil(support) * 2 + 1
  const packed = new Int32Array(size * (2 + stride))
  const made = { first: packed.subarray(0, size), count: packed.subarray(size, 2 * size), stride, packed }
  const rounded = packed.subarray(2 * size)
  for (let i = 0; i < size; i++) {
    const center = (offset + i + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const count = Math.max(1, Math.min(from, Math.trunc(center + support + 0.5)) - first)
    const weights = Array.from({ length: count }, (_, k) => weightOf(Math.abs(first + k - center + 0.5) / widening))
    const sum = weights.reduce((a, b) => a + b, 0)
    for (const [k, weight] of weights.entries()) rounded[i * stride + k] = Math.round((weight / sum) * 2 ** bits)
    made.first[i] = first
    made.count[i] = count
  }
  if (known.size === mostKnown) known.clear()
  known.set(key, made)
  return made
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

/** Weight of a pixel `x` pixels away, 0 from `support` on. */
const kernels = {
  nearest: { support: 0.5, weight: () => 1 },
  linear: { support: 1, weight: (x: number) => Math.max(0, 1 - x) },
  /** Keys' cubic convolution with a = −½. */
  cubic: {
    support: 2,
    weight: (x: number) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0),
  },
  lanczos3: { support: 3, weight: (x: number) => (x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

export type Kernel = keyof typeof kernels
