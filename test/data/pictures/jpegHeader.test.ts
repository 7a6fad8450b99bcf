import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { jpegHeader } from '../../../src/data/pictures/jpeg.js'

const drawn = sharp({ create: { width: 300, height: 7, channels: 3, background: '#369' } })

test('when a file is a JPEG of any kind then its header has its size', async () => {
  for (const options of [{}, { progressive: true }, { chromaSubsampling: '4:4:4' }, { mozjpeg: true }]) {
    const bytes = await drawn.clone().jpeg(options).toBuffer()
    assert.deepEqual(jpegHeader(bytes), { width: 300, height: 7, isPlain: true })
  }
})

test('when a JPEG is CMYK, has a color profile or is cut off then it is not plain', async () => {
  const jpeg = await drawn.clone().jpeg().toBuffer()
  const cmyk = await drawn.clone().toColorspace('cmyk').jpeg().toBuffer()
  const profiled = await drawn.clone().withIccProfile('p3').jpeg().toBuffer()
  for (const bytes of [cmyk, profiled, jpeg.subarray(0, -20)]) {
    assert.ok(!jpegHeader(bytes)?.isPlain)
  }
})

test('when a JPEG may be rotated, is cut off or is another file then its header is not used', async () => {
  const jpeg = await drawn.clone().jpeg().toBuffer()
  const turned = await drawn.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const others = [turned, jpeg.subarray(0, 30), await drawn.clone().png().toBuffer(), Buffer.from([0xff, 0xd8, 0, 0])]
  for (const bytes of [...others, new Uint8Array()]) assert.equal(jpegHeader(bytes), undefined)
})
