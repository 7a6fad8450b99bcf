/** Resizing with antialiasing, as in Pillow, which Hugging Face's image processors use. */

import { openModule, pageBytes } from '../../base/webAssembly.js'
import { resampleModule } from './resampleModule.js'

/** A square crop of a resized picture: its full size, and `size` pixels from `left`, `top`. */
export interface Window {
  width: number
  height: number
  left: number
  top: number
  size: number
}

/**
 * Pixels as one number each, red in the lowest byte. Input pixels have 1 byte (gray), 2 (gray and alpha), 3 (RGB) or
 * 4 (RGB and an ignored byte).
 */
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

/** The two passes, in WebAssembly because of SIMD; addresses and distances between lines are in bytes. */
interface Passes {
  memory: WebAssembly.Memory
  alongRows(
    ...args: [from: number, rows: number, inLine: number, to: number, outLine: number, size: number, ...TapAddresses]
  ): void
  alongColumns(...args: [from: number, line: number, to: number, outLine: number, size: number, ...TapAddresses]): void
}
type TapAddresses = [first: number, count: number, weights: number, stride: number]

let opened: Passes | undefined
function passes(): Passes {
  opened ??= openModule<Passes>(Buffer.from(resampleModule, 'base64'))
  return opened
}

/** Bytes of the picture that are in WebAssembly memory at a time, or one line if that is longer. */
const bandBytes = 2 ** 18

/**
 * Resizes pixels [height, width], see `pixelWords`, and returns the RGB bytes [size, size, 3] of `window`. As in Pillow
 * it resizes along rows, rounds, and then along columns; it computes only the pixels of the window.
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
  // Memory layout: taps, lines of the picture, lines after the first pass padded to 16 bytes, the result.
  const line = (4 * size + 15) & ~15
  const downAt = across.packed.byteLength
  const bandAt = downAt + down.packed.byteLength
  const narrowAt = bandAt + 4 * width * band
  const outAt = narrowAt + line * (lastRow - firstRow)
  const end = outAt + 3 * size * size + 16
  const missing = Math.ceil((end - memory.buffer.byteLength) / pageBytes)
  if (missing > 0) memory.grow(missing)
  const words = new Int32Array(memory.buffer)
  words.set(across.packed)
  words.set(down.packed, downAt / 4)
  for (let y = firstRow; y < lastRow; y += band) {
    const rows = Math.min(band, lastRow - y)
    words.set(pixels.subarray(y * width, (y + rows) * width), bandAt / 4)
    alongRows(bandAt, rows, 4 * width, narrowAt + (y - firstRow) * line, line, size, ...addresses(across, 0, size))
  }
  alongColumns(narrowAt - firstRow * line, line, outAt, 3 * size, size, ...addresses(down, downAt, size))
  return new Uint8Array(memory.buffer.slice(outAt, outAt + 3 * size * size))
}

const addresses = ({ stride }: Taps, start: number, size: number): TapAddresses => [
  start,
  start + 4 * size,
  start + 8 * size,
  4 * stride,
]

/** Weights are fixed-point numbers with 22 fraction bits, as resample.wat expects: sums of 8-bit pixels fit int32. */
const bits = 22

/** For each output pixel its first input pixel, the number of input pixels and their weights, `stride` numbers apart. */
interface Taps {
  first: Int32Array
  count: Int32Array
  stride: number
  /** `first`, `count` and the weights, concatenated. */
  packed: Int32Array
}

/** Weights by size and kernel: the pictures of a catalogue have few sizes. */
const cache = new Map<string, Taps>()
const maxCached = 256

/** Weights to resize `from` pixels to `to`, for `size` output pixels starting at `offset`. */
function taps(from: number, to: number, offset: number, size: number, kernel: Kernel): Taps {
  const key = `${from} ${to} ${offset} ${size} ${kernel}`
  const cached = cache.get(key)
  if (cached) return cached
  const scale = from / to
  // `nearest` takes one pixel at any scale.
  const widening = kernel === 'nearest' ? 1 : Math.max(scale, 1)
  const support = kernels[kernel].support * widening
  const weightOf = kernels[kernel].weight
  const stride = Math.ceil(support) * 2 + 1
  const packed = new Int32Array(size * (2 + stride))
  const result = { first: packed.subarray(0, size), count: packed.subarray(size, 2 * size), stride, packed }
  const rounded = packed.subarray(2 * size)
  for (let i = 0; i < size; i++) {
    const center = (offset + i + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const count = Math.max(1, Math.min(from, Math.trunc(center + support + 0.5)) - first)
    const weights = Array.from({ length: count }, (_, k) => weightOf(Math.abs(first + k - center + 0.5) / widening))
    const sum = weights.reduce((a, b) => a + b, 0)
    for (const [k, weight] of weights.entries()) rounded[i * stride + k] = Math.round((weight / sum) * 2 ** bits)
    result.first[i] = first
    result.count[i] = count
  }
  if (cache.size === maxCached) cache.clear()
  cache.set(key, result)
  return result
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

/** Weight of a pixel at distance `x`, for `x` below `support`. */
const kernels = {
  nearest: { support: 0.5, weight: () => 1 },
  linear: { support: 1, weight: (x: number) => Math.max(0, 1 - x) },
  /** Cubic convolution (Keys 1981) with a = −½. */
  cubic: {
    support: 2,
    weight: (x: number) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0),
  },
  lanczos3: { support: 3, weight: (x: number) => (x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

export type Kernel = keyof typeof kernels
