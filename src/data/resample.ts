/** Resizing with antialiasing as Pillow does it, which Hugging Face's image processors are made on. */

/** Part of a resized picture: its full size, and the square of `size` pixels that is wanted, from `left`, `top`. */
export interface Window {
  width: number
  height: number
  left: number
  top: number
  size: number
}

/** Pixels of 3 or 4 bytes, the fourth of no meaning, or of 1 or 2 for grey, as one number each: red is the lowest byte. */
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
  const { first, count, weights, stride } = taps(width, window.width, window.left, size, kernel)
  const rows = taps(height, window.height, window.top, size, kernel)
  const firstRow = rows.first[0]
  const lastRow = rows.first[size - 1] + rows.count[size - 1]
  const narrow = new Uint8ClampedArray((lastRow - firstRow) * size * 3)
  for (let y = firstRow, to = 0; y < lastRow; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      let r = half
      let g = half
      let b = half
      let from = y * width + first[x]
      const start = x * stride
      const end = start + count[x]
      for (let k = start; k < end; k++, from++) {
        const weight = weights[k]
        const pixel = pixels[from]
        r = (r + Math.imul(weight, pixel & 255)) | 0
        g = (g + Math.imul(weight, (pixel >>> 8) & 255)) | 0
        b = (b + Math.imul(weight, (pixel >>> 16) & 255)) | 0
      }
      narrow[to] = r >> bits
      narrow[to + 1] = g >> bits
      narrow[to + 2] = b >> bits
    }
  }
  return resampleColumns(narrow, size * 3, rows, firstRow)
}

/** Rows of `line` bytes, the first of which is row `firstRow`, resized along columns by `taps`. */
function resampleColumns(pixels: Uint8ClampedArray, line: number, taps: Taps, firstRow: number): Uint8Array {
  const rows = taps.first.length
  const out = new Uint8ClampedArray(rows * line)
  const sums = new Int32Array(line)
  for (let y = 0; y < rows; y++) {
    sums.fill(half)
    const weights = taps.weights.subarray(y * taps.stride, y * taps.stride + taps.count[y])
    let from = (taps.first[y] - firstRow) * line
    let k = 0
    // Four rows at a time: sums are then read and written a quarter as often.
    for (; k + 4 <= weights.length; k += 4, from += 4 * line) {
      const [a, b, c, d] = weights.subarray(k, k + 4)
      const [second, third, fourth] = [from + line, from + 2 * line, from + 3 * line]
      for (let x = 0; x < line; x++) {
        const two = (Math.imul(a, pixels[from + x]) + Math.imul(b, pixels[second + x])) | 0
        const more = (Math.imul(c, pixels[third + x]) + Math.imul(d, pixels[fourth + x])) | 0
        sums[x] = (sums[x] + two + more) | 0
      }
    }
    for (; k < weights.length; k++, from += line) {
      const weight = weights[k]
      for (let x = 0; x < line; x++) sums[x] = (sums[x] + Math.imul(weight, pixels[from + x])) | 0
    }
    for (let x = 0, to = y * line; x < line; x++, to++) out[to] = sums[x] >> bits
  }
  return new Uint8Array(out.buffer)
}

/** Weights are whole numbers of 2^-22, so that sums of 8-bit pixels stay below 2^31. */
const bits = 22
const half = 1 << (bits - 1)

/** For each output pixel: the first input pixel, how many of them, and their weights, `stride` numbers apart. */
interface Taps {
  first: Int32Array
  count: Int32Array
  weights: Int32Array
  stride: number
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
  const made = {
    first: new Int32Array(size),
    count: new Int32Array(size),
    weights: new Int32Array(size * stride),
    stride,
  }
  for (let i = 0; i < size; i++) {
    const centre = (offset + i + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - support + 0.5))
    const count = Math.max(1, Math.min(from, Math.trunc(centre + support + 0.5)) - first)
    const weights = Array.from({ length: count }, (_, k) => weightOf(Math.abs(first + k - centre + 0.5) / widening))
    const sum = weights.reduce((a, b) => a + b, 0)
    for (const [k, weight] of weights.entries()) made.weights[i * stride + k] = Math.round((weight / sum) * 2 ** bits)
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
