import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kernel, pixelWords, resample } from '../../src/data/resample.js'

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
