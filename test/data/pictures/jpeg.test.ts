import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { decodeSmallJpeg } from '../../../src/data/pictures/jpeg.js'

/** A picture in which no two pixels are alike, of sides that are no multiples of a JPEG's blocks. */
const [width, height] = [37, 21]
const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * i * 7 + i * 13) % 256))
const drawn = () => sharp(pixels, { raw: { width, height, channels: 3 } })

const kinds = {
  baseline: drawn().jpeg(),
  progressive: drawn().jpeg({ progressive: true }),
  'of full chroma': drawn().jpeg({ chromaSubsampling: '4:4:4', quality: 95 }),
  optimized: drawn().jpeg({ mozjpeg: true }),
  gray: drawn().grayscale().jpeg(),
}

for (const [kind, picture] of Object.entries(kinds)) {
  test(`when a JPEG is ${kind} then its pixels are those of libvips to the bit`, async () => {
    const bytes = await picture.toBuffer()
    const expected = await sharp(bytes).toColorspace('srgb').removeAlpha().raw().toBuffer()
    const found = await decodeSmallJpeg(bytes)
    assert.deepEqual([found!.width, found!.height], [width, height])
    const rgb = Buffer.from(found!.data.filter((_, i) => i % 4 !== 3))
    assert.ok(rgb.equals(expected))
  })
}

test('when many JPEGs are broken then those between them are decoded all the same', async () => {
  const good = await drawn().jpeg().toBuffer()
  const broken = Buffer.from(good).fill(0, 2, 300)
  for (let i = 0; i < 300; i++) assert.equal(await decodeSmallJpeg(broken), undefined)
  assert.equal((await decodeSmallJpeg(good))!.width, width)
})
