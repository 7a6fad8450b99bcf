import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Kernel, resample } from '../../src/data/pictures/resample.js'

const kernel = fc.constantFrom<Kernel>('nearest', 'linear', 'cubic', 'lanczos3')
const side = fc.integer({ min: 1, max: 40 })
/** A full size, and a square window inside it. */
const window = fc.record({ width: side, height: side }).chain(({ width, height }) =>
  fc.integer({ min: 1, max: Math.min(width, height) }).chain((size) =>
    fc.record({
      width: fc.constant(width),
      height: fc.constant(height),
      left: fc.nat(width - size),
      top: fc.nat(height - size),
      size: fc.constant(size),
    }),
  ),
)
const byte = fc.nat(255)
const color = fc.tuple(byte, byte, byte)
const word = ([red, green, blue]: readonly number[]) => red | (green << 8) | (blue << 16)
const picture = fc
  .record({ width: side, height: side })
  .chain(({ width, height }) =>
    fc
      .array(color, { minLength: width * height, maxLength: width * height, size: 'max' })
      .map((colors) => ({ width, height, colors })),
  )

test('when a picture has one color then it keeps that color at any size, by any kernel', () => {
  fc.assert(
    fc.property(side, side, window, kernel, color, (width, height, to, by, one) => {
      const found = resample(new Uint32Array(width * height).fill(word(one)), width, height, to, by)
      assert.equal(found.length, 3 * to.size ** 2)
      for (const [i, value] of found.entries()) assert.equal(value, one[i % 3])
    }),
    { numRuns: 300 },
  )
})

test('when a kernel has no negative weights then no pixel leaves the bounds of the picture', () => {
  fc.assert(
    fc.property(picture, window, fc.constantFrom<Kernel>('nearest', 'linear'), ({ width, height, colors }, to, by) => {
      const found = resample(Uint32Array.from(colors, word), width, height, to, by)
      for (const channel of [0, 1, 2]) {
        const values = colors.map((one) => one[channel])
        const [low, high] = [Math.min(...values), Math.max(...values)]
        for (let i = channel; i < found.length; i += 3) assert.ok(found[i] >= low && found[i] <= high)
      }
    }),
    { numRuns: 200 },
  )
})

test('when a picture keeps its size then its pixels are those of the window', () => {
  const square = picture.chain((from) =>
    fc.integer({ min: 1, max: Math.min(from.width, from.height) }).chain((size) =>
      fc.record({
        from: fc.constant(from),
        size: fc.constant(size),
        left: fc.nat(from.width - size),
        top: fc.nat(from.height - size),
      }),
    ),
  )
  fc.assert(
    fc.property(square, kernel, ({ from: { width, height, colors }, size, left, top }, by) => {
      const found = resample(Uint32Array.from(colors, word), width, height, { width, height, left, top, size }, by)
      const expected = Array.from({ length: size * size }, (_, i) => {
        const [y, x] = [Math.floor(i / size), i % size]
        return colors[(top + y) * width + left + x]
      })
      assert.deepEqual(Array.from(found), expected.flat())
    }),
    { numRuns: 200 },
  )
})
