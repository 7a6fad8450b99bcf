import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { type Kernel, pixelWords, resample, type Window } from '../../../src/data/pictures/resample.js'

/** Green values of the middle 4 × 4 of a picture that Pillow made 6 × 4, by filter. */
const expected: [string, number, number, Record<Kernel, number[]>][] = [
  [
    'smaller',
    11,
    7,
    {
      nearest: [165, 239, 57, 131, 211, 29, 103, 177, 1, 75, 149, 223, 47, 121, 195, 13],
      linear: [129, 153, 122, 119, 155, 123, 149, 130, 91, 123, 140, 131, 99, 136, 126, 105],
      cubic: [128, 153, 119, 120, 160, 122, 155, 125, 87, 124, 140, 134, 99, 137, 123, 106],
      lanczos3: [130, 150, 115, 125, 155, 123, 167, 121, 94, 128, 133, 131, 98, 133, 121, 111],
    },
  ],
  [
    'larger',
    3,
    2,
    {
      nearest: [91, 128, 128, 165, 91, 128, 128, 165, 202, 239, 239, 20, 202, 239, 239, 20],
      linear: [100, 119, 137, 156, 128, 147, 149, 136, 183, 202, 172, 95, 211, 230, 184, 75],
      cubic: [87, 106, 134, 168, 121, 144, 150, 139, 190, 219, 182, 82, 224, 255, 198, 53],
      lanczos3: [74, 88, 135, 177, 125, 146, 153, 137, 193, 222, 176, 86, 244, 255, 194, 46],
    },
  ],
]

for (const [name, width, height, byKernel] of expected) {
  for (const [kernel, green] of Object.entries(byKernel) as [Kernel, number[]][]) {
    test(`when a picture becomes ${name} by ${kernel} then its pixels are Pillow's to the bit`, () => {
      const picture = Uint8Array.from(
        { length: width * height * 3 },
        (_, i) => (37 * Math.floor(i / 3) + 91 * (i % 3)) % 256,
      )
      const window = { width: 6, height: 4, left: 1, top: 0, size: 4 }
      const made = resample(pixelWords(picture, width * height), width, height, window, kernel)
      assert.deepEqual(
        [...made].filter((_, i) => i % 3 === 1),
        green,
      )
    })
  }
}

/** The formula, pixel by pixel: a weighted mean along rows, rounded, then along columns. */
function plainly(pixels: Uint32Array, width: number, window: Window): number[] {
  const { size } = window
  const height = pixels.length / width
  const weightOf = (x: number) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0)
  const mean = (from: number, to: number, at: number, value: (i: number) => number) => {
    const [scale, wide] = [from / to, Math.max(1, from / to)]
    const center = (at + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - 2 * wide + 0.5))
    const end = Math.max(first + 1, Math.min(from, Math.trunc(center + 2 * wide + 0.5)))
    const taps = Array.from({ length: end - first }, (_, k) => weightOf(Math.abs(first + k - center + 0.5) / wide))
    const whole = taps.reduce((a, b) => a + b, 0)
    const sum = taps.reduce((a, w, k) => a + Math.round((w / whole) * 2 ** 22) * value(first + k), 2 ** 21)
    return Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)))
  }
  const along = (y: number, x: number, channel: number) =>
    mean(width, window.width, window.left + x, (i) => (pixels[y * width + i] >>> (8 * channel)) & 255)
  return Array.from({ length: 3 * size * size }, (_, i) => {
    const [y, x, channel] = [Math.floor(i / 3 / size), Math.floor(i / 3) % size, i % 3]
    return mean(height, window.height, window.top + y, (j) => along(j, x, channel))
  })
}

test('when pictures and windows have any shape then each pixel is that of the formula', () => {
  const random = Random.of(3)
  const upTo = (n: number) => 1 + random.int(n)
  // The last one is larger than what is in memory at a time.
  for (const [width, height] of [...Array.from({ length: 40 }, () => [upTo(40), upTo(40)]), [1500, 90]]) {
    const pixels = Uint32Array.from({ length: width * height }, () => random.int(2 ** 32))
    const size = upTo(19)
    const [left, top] = [upTo(9) - 1, upTo(9) - 1]
    const window = { width: size + left + upTo(9) - 1, height: size + top + upTo(9) - 1, left, top, size }
    assert.deepEqual([...resample(pixels, width, height, window, 'cubic')], plainly(pixels, width, window))
  }
})
