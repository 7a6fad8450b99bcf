import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { decodeAll } from '../../../src/data/pictures/decode.js'
import { thumbnail } from '../../../src/data/pictures/thumbnail.js'
import { render } from '../../../src/sample/market/drawing.js'

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40"/></svg>'
const entity = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>${svg}`
const [place, options] = [{ folder: '.' }, { size: 8, fit: 'cover', maxPixels: 1e6 } as const]

/** What libvips would take for SVG, or another reader of its own, and why it is refused. */
const disguised: [name: string, bytes: string | Buffer, reason: RegExp][] = [
  ['plain', svg, /^unsupported: SVG; convert it to JPEG, PNG or WebP$/],
  ['prolog', `<?xml version="1.0" encoding="UTF-8"?>\n${svg}`, /^unsupported: SVG;/],
  ['byte order mark', `\ufeff${svg}`, /^unsupported: SVG;/],
  ['byte order mark and prolog', `\ufeff<?xml version="1.0"?>${svg}`, /^unsupported: SVG;/],
  ['white space', `\n\t  ${svg}`, /^unsupported: SVG;/],
  ['comment', `<!-- a drawing -->${svg}`, /^unsupported: SVG;/],
  ['document type with an entity', entity, /^unsupported: SVG;/],
  ['far away', `<!--${' '.repeat(950)}-->${svg}`, /^(unsupported: SVG|no picture)/],
  ['text before', `hello ${svg}`, /^unsupported: SVG;/],
  ['UTF-16', Buffer.from(`\ufeff${svg}`, 'utf16le'), /^no picture: /],
  ['gzip', gzipSync(svg), /^unsupported: gzip \(SVGZ\);/],
  ['behind the letters of WebP', `RIFFabcdWEBP${svg}`, /^(unsupported|corrupt): /],
  ['behind the letters of GIF', `GIF89a ${svg}`, /^(unsupported|corrupt): /],
  ['behind the letters of AVIF', `aaaaftypavif${svg}`, /^(unsupported|corrupt): /],
  ['PDF', '%PDF-1.7\n1 0 obj', /^unsupported: PDF;/],
  ['PostScript', '%!PS-Adobe-3.0 EPSF-3.0\n', /^unsupported: PostScript;/],
  ['PPM', `P6\n2 2\n255\n${'abc'.repeat(4)}`, /^no picture: /],
  ['MVG', 'push graphic-context\nimage over 0,0 0,0 "https://a"', /^no picture: /],
  ['CSV', '1,2\n3,4\n', /^no picture: /],
]

/** A PNG whose header claims a size. */
async function claiming(width: number, height: number): Promise<Buffer> {
  const png = await sharp({ create: { width: 600, height: 600, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
  png.writeUInt32BE(width, 16)
  png.writeUInt32BE(height, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

/** The checksum of PNG. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

describe('Formats of pictures', () => {
  test('when bytes are no picture of the formats that are read then they are refused with the reason', async () => {
    const pictures = disguised.map(([, bytes]) => Buffer.from(bytes as string))
    for (const [i, found] of (await decodeAll(pictures, place, options)).entries()) {
      const [name, , reason] = disguised[i]
      assert.ok(found instanceof Error, `${name} was decoded`)
      assert.match(found.message, reason, name)
      const uri = `data:image/png;base64,${pictures[i].toString('base64')}`
      assert.equal(await thumbnail(uri, { ...place, maxPixels: 1e6 }), undefined, name)
    }
  })

  test('when SVG has the first letters of a picture then libvips has no reader for it either', async () => {
    for (const letters of ['', 'RIFF', 'ftyp', 'aaaaftypavif', '<?xml version="1.0"?>', ' '])
      await assert.rejects(sharp(Buffer.from(letters + svg)).metadata(), /unsupported image format/)
    await assert.rejects(sharp(Buffer.from(svg)).metadata(), /unsupported image format/)
    await assert.rejects(sharp(gzipSync(svg)).metadata(), /unsupported image format/)
  })

  test('when a sample draws its items then it still renders its own SVG, and closes it again', async () => {
    const [one, other] = await Promise.all([render(svg, 'png'), render(svg, 'jpeg')])
    assert.deepEqual([(await sharp(one).metadata()).width, (await sharp(other).metadata()).format], [40, 'jpeg'])
    await assert.rejects(sharp(Buffer.from(svg)).metadata(), /unsupported image format/)
  })

  test('when a picture claims a size that nobody has then it is broken, without the memory of that size', async () => {
    const before = process.resourceUsage().maxRSS
    const jpeg = await sharp({ create: { width: 600, height: 600, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer()
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]))
    jpeg.writeUInt32BE(0xffffffff, frame + 5)
    const claims: [Buffer, RegExp][] = [
      [await claiming(50_000, 50_000), /^too large: more than 50000000 pixels$/],
      [await claiming(2 ** 31 - 1, 2 ** 31 - 1), /^(too large|corrupt): /],
      [await claiming(2, 20_000_000), /^too large: 2 × 20000000, more than 65535 pixels along a side$/],
      [await claiming(20_000_000, 2), /^too large: 20000000 × 2, more than 65535 pixels along a side$/],
      [jpeg, /^(too large|corrupt): /],
      [jpeg.subarray(0, 300), /^(too large|corrupt): /],
    ]
    const large = { ...options, maxPixels: 50_000_000 }
    const found = await decodeAll(
      claims.map(([picture]) => picture),
      place,
      large,
    )
    for (const [i, [picture, reason]] of claims.entries()) {
      assert.match(String((found[i] as Error).message), reason)
      assert.equal(await thumbnail(picture, { ...place, maxPixels: 50_000_000 }), undefined)
    }
    assert.ok(process.resourceUsage().maxRSS - before < 200_000, 'more than 200 MB')
  })

  test('when pictures are of the formats that are read then they are decoded', async () => {
    const image = sharp({ create: { width: 24, height: 24, channels: 3, background: 'red' } })
    const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const
    const pictures = await Promise.all(formats.map((format) => image.clone()[format]().toBuffer()))
    const bigTiff = await image.clone().tiff({ bigtiff: true }).toBuffer()
    for (const found of await decodeAll([...pictures, bigTiff], place, options)) {
      assert.ok(!(found instanceof Error), String(found))
      assert.equal(found!.length, 8 * 8 * 3)
    }
  })
})
