import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import sharp, { type Sharp } from 'sharp'
import { loadItems } from '../../../src/data/items/items.js'
import { decodeAll } from '../../../src/data/pictures/decode.js'
import { writeNormalized } from '../../../src/data/pictures/normalize.js'
import { Pictures } from '../../../src/data/pictures/pictures.js'
import { type PictureOptions, preparePictures } from '../../../src/data/pictures/prepare.js'
import { literal } from '../../../src/data/tables/duckdb.js'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()
const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }

type Color = [number, number, number]
const [red, blue, white]: Color[] = [
  [255, 0, 0],
  [0, 0, 255],
  [255, 255, 255],
]

/** A picture whose left and right halves have a color each. */
function halves(left: Color, right: Color, width = 32, height = 32): Sharp {
  const pixels = Buffer.from(
    Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? left : right)).flat(),
  )
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

/**
 * A JPEG of 32 × 32 pixels, by Pillow: cyan, magenta, yellow and black are 0, 255, 255, 0 on the left and 51, 0, 102, 85
 * on the right.
 */
const inks = Buffer.from(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ' +
    'EBAQEB/8AAFAgAIAAgBEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAALCgn/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0A' +
    'WQBLAAA/AN/Cf+n/ALfwAOM6/wAKZDKuAOzCAOmbtVAA4zr/AApkMq4A7MIA6Zu1UADjOv8ACmQyrgDswgDpm7VQAOM6/wAKZDKuAP/Z',
  'base64',
)

/** EXIF data of a JPEG with orientation 6. */
const turnedExif = Buffer.from('ffe100224578696600004d4d002a00000008000101120003000000010006000000000000', 'hex')

/** A gray TIFF of floats, 1 everywhere: white, or almost black on the scale of bytes. */
function floatTiff(side: number): Uint8Array {
  // Tag, type (3: 16 bits, 4: 32 bits), value: size, bits, no compression, 0 is black, offset, samples, rows, bytes, float.
  const bytes = 4 * side * side
  const size = [
    [256, 3, side],
    [257, 3, side],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
  ]
  const tags = [...size, [273, 4, 8 + 2 + 10 * 12 + 4], [277, 3, 1], [278, 3, side], [279, 4, bytes], [339, 3, 3]]
  const head = Buffer.alloc(8 + 2 + tags.length * 12 + 4)
  head.write('II*\0', 'latin1')
  head.writeUInt32LE(8, 4)
  head.writeUInt16LE(tags.length, 8)
  for (const [i, [tag, type, value]] of tags.entries()) {
    const at = 10 + 12 * i
    head.writeUInt16LE(tag, at)
    head.writeUInt16LE(type, at + 2)
    head.writeUInt32LE(1, at + 4)
    head.writeUInt32LE(value, at + 8)
  }
  return Buffer.concat([head, new Uint8Array(new Float32Array(side * side).fill(1).buffer)])
}

const options = { size: 8, fit: 'cover' as const, maxPixels: 10_000 }

/** Color of the decoded picture at the middle of its left, right, upper and lower edge. */
async function edges(picture: Uint8Array | string, more: Partial<typeof options> | { fit: 'fill' } = {}) {
  const [decoded] = await decodeAll([picture], { folder }, { ...options, ...more })
  if (!(decoded instanceof Uint8Array)) throw decoded ?? new Error('no picture')
  assert.equal(decoded.length, 8 * 8 * 3)
  const at = (x: number, y: number) => [...decoded.subarray(3 * (8 * y + x), 3 * (8 * y + x) + 3)]
  return { left: at(0, 4), right: at(7, 4), top: at(4, 0), bottom: at(4, 7) }
}

function near(found: number[], expected: Color, within = 6): void {
  assert.ok(
    found.every((value, c) => Math.abs(value - expected[c]) <= within),
    `${found} is not ${expected}`,
  )
}

describe('Decoding', () => {
  for (const format of ['png', 'jpeg', 'webp', 'avif'] as const) {
    test(`when a picture is ${format} then its pixels are RGB in place`, async () => {
      const { left, right } = await edges(await halves(red, blue).toFormat(format).toBuffer())
      near(left, red, 12)
      near(right, blue, 12)
    })
  }

  test('when EXIF says that a picture is turned then it is set upright', async () => {
    // Orientation 6: turn by 90° clockwise to show; what was left is then on top.
    const { top, bottom } = await edges(await halves(red, blue).withMetadata({ orientation: 6 }).jpeg().toBuffer())
    near(top, red, 12)
    near(bottom, blue, 12)
  })

  test('when a turned picture is not square then the middle of the upright one is kept', async () => {
    // 64 × 32 stored, 32 × 64 upright: the cut leaves rows 16 to 48 of it, half red and half blue.
    const turned = await halves(red, blue, 64, 32).withMetadata({ orientation: 6 }).png().toBuffer()
    const { top, bottom } = await edges(turned)
    near(top, red)
    near(bottom, blue)
  })

  test('when a picture is gray, of 8 or 16 bits, with or without alpha, then the three channels are equal', async () => {
    const gray = halves([200, 200, 200], [40, 40, 40])
    const pictures = {
      jpeg: await gray.clone().toColorspace('b-w').jpeg().toBuffer(),
      png16: await gray.clone().toColorspace('grey16').png().toBuffer(),
      alpha: await gray.clone().toColorspace('b-w').ensureAlpha().png().toBuffer(),
    }
    for (const [name, picture] of Object.entries(pictures)) {
      const { channels, depth } = await sharp(picture).metadata()
      assert.deepEqual([name, channels, depth], [name, name === 'alpha' ? 2 : 1, name === 'png16' ? 'ushort' : 'uchar'])
      const { left, right } = await edges(picture)
      near(left, [200, 200, 200])
      near(right, [40, 40, 40])
    }
  })

  test('when a picture is CMYK without a profile then a color is its light times the light of black', async () => {
    const { space, hasProfile } = await sharp(inks).metadata()
    assert.deepEqual([space, hasProfile], ['cmyk', false])
    const { left, right } = await edges(inks)
    near(left, red, 3)
    // (255 − 51) · 170 / 255, 255 · 170 / 255, (255 − 102) · 170 / 255.
    near(right, [136, 170, 102], 3)
    // With EXIF data the header is read by another way.
    const turned = Buffer.concat([inks.subarray(0, 2), turnedExif, inks.subarray(2)])
    const { top, bottom } = await edges(turned)
    near(top, red, 3)
    near(bottom, [136, 170, 102], 3)
  })

  test('when samples are fractions of unknown scale then the picture is refused, not black', async () => {
    const [found] = await decodeAll([floatTiff(32)], { folder }, options)
    assert.equal((found as Error).message, 'unsupported: samples of type float; convert it to 8 or 16 bits')
  })

  test('when a picture is transparent then it lies on white', async () => {
    const clear = Buffer.from(Array.from({ length: 32 * 32 }, (_, i) => [255, 0, 0, i % 32 < 16 ? 0 : 255]).flat())
    const { left, right } = await edges(
      await sharp(clear, { raw: { width: 32, height: 32, channels: 4 } })
        .png()
        .toBuffer(),
    )
    near(left, white)
    near(right, red)
  })

  test('when a picture is not square then cover keeps the middle and fill the whole', async () => {
    // Of 64 columns, the first 8 are red: outside the middle 32.
    const pixels = Buffer.from(Array.from({ length: 64 * 32 }, (_, i) => (i % 64 < 8 ? red : blue)).flat())
    const wide = await sharp(pixels, { raw: { width: 64, height: 32, channels: 3 } })
      .png()
      .toBuffer()
    near((await edges(wide)).left, blue, 20)
    near((await edges(wide, { fit: 'fill' })).left, red, 24)
  })

  test('when a picture is broken then an error says of what kind, and why', async () => {
    const whole = await halves(red, blue).jpeg().toBuffer()
    const elsewhere = await temporaryFolder()
    await writeFile(join(elsewhere, 'ok.jpg'), whole)
    await writeFile(join(folder, 'ok.jpg'), whole)
    await symlink(join(elsewhere, 'ok.jpg'), join(folder, 'link.jpg'))
    await mkdir(join(folder, '..odd'), { recursive: true })
    await writeFile(join(folder, '..odd', 'ok.jpg'), whole)
    const cut = (await halves(red, blue).png().toBuffer()).subarray(0, 90)
    const page = Buffer.from('<!DOCTYPE html><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>')
    const broken: [Uint8Array | string, RegExp][] = [
      [whole.subarray(0, whole.length / 2), /^corrupt: the file is cut off$/],
      [cut, /^corrupt: the file is cut off$/],
      [await halves(red, blue, 101, 100).png().toBuffer(), /^too large: more than 10000 pixels$/],
      [page, /^no picture: a web page/],
      [page.subarray(15), /^unsupported: SVG; convert it/],
      [Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /^unsupported: HEIC; convert it to JPEG/],
      [Buffer.from('BM\x36\x10\0\0\0\0\0\0\x36'), /^unsupported: BMP/],
      [Buffer.from('images/1.jpg'), /^no picture: the bytes are a text, "images\/1\.jpg"; write paths as strings$/],
      [Buffer.from('GIF'), /^no picture: the file starts with "GIF"$/],
      [Buffer.alloc(5000), /^no picture: the file has zeros only$/],
      [Buffer.alloc(0), /^empty: /],
      [await halves(red, blue, 1, 1).png().toBuffer(), /^blank: a single pixel$/],
      [await halves(red, blue, 900, 1).png().toBuffer(), /^blank: 900 × 1 pixels$/],
      ['gone.jpg', /^missing: no such file$/],
      ['../ok.jpg', /^outside: .*data\.allowOutside/],
      [join(elsewhere, 'ok.jpg'), /^outside: /],
      ['link.jpg', /^outside: /],
    ]
    const found = await decodeAll(
      broken.map(([picture]) => picture),
      { folder },
      options,
    )
    for (const [i, result] of found.entries()) {
      assert.ok(result instanceof Error, `${broken[i][1]}`)
      assert.match(result.message, broken[i][1])
    }
    const good = [whole, 'ok.jpg', '..odd/ok.jpg', join(folder, 'ok.jpg')]
    const [none, first, ...others] = await decodeAll([null, ...good], { folder }, options)
    assert.equal(none, null)
    for (const other of others) assert.deepEqual(other, first)
    const outside = ['link.jpg', join(elsewhere, 'ok.jpg'), join('..', basename(elsewhere), 'ok.jpg')]
    for (const other of await decodeAll(outside, { folder, allowOutside: true }, options)) {
      assert.deepEqual(other, first)
    }
  })

  test('when a picture is animated or a long strip then its first frame and its middle are taken', async () => {
    const frames = await sharp([await halves(red, blue).gif().toBuffer(), await halves(blue, red).gif().toBuffer()], {
      join: { animated: true },
    })
      .gif()
      .toBuffer()
    assert.equal((await sharp(frames).metadata()).pages, 2)
    near((await edges(frames)).left, red, 12)
    const strip = await edges(await halves(red, blue, 900, 4).png().toBuffer())
    near(strip.left, red)
    near(strip.right, blue)
  })

  test('when pixels are normalized then channels come first, each by its own mean and deviation', () => {
    const out = new Float32Array(8)
    writeNormalized(Uint8Array.of(0, 51, 102, 255, 204, 153), { mean: [0, 0.2, 0.5], std: [1, 0.5, 0.1] }, out, 2)
    // 51/255 is 0.2: (0, 1), ((0.2, 0.8) − 0.2)/0.5, ((0.4, 0.6) − 0.5)/0.1.
    const expected = [0, 0, 0, 1, 0, 1.2, -1, 1]
    expected.forEach((value, i) => {
      assert.ok(Math.abs(out[i] - value) < 1e-5, `${i}: ${out[i]}`)
    })
  })
})

describe('Pictures of a catalogue', () => {
  const defaults = { ...options, cache: join(folder, 'cache'), cacheLimit: 1, maxBad: 0.5, allowOutside: false }
  const prepare = async (items: string, more: Partial<PictureOptions> = {}) => {
    const { pictures } = await loadItems(db, items, columns)
    return preparePictures(pictures, { ...defaults, ...more })
  }
  const plain = { mean: [0, 0, 0], std: [1, 1, 1] }
  /** Files of decoded pictures. */
  const pixels = async (cache: string) =>
    ((await readdir(cache, { recursive: true })) as string[]).filter((file) => /^[\da-f-]{36}$/.test(basename(file)))

  /** Four items, in a folder of their own: two pictures, none, and a broken one; as bytes and as paths. */
  async function catalogue(name: string): Promise<{ bytes: string; paths: string; broken: string }> {
    await mkdir(join(folder, name))
    const file = (i: number) => join(folder, name, `${i}.png`)
    await writeFile(file(0), await halves(red, blue).png().toBuffer())
    await writeFile(file(1), await halves(blue, white).png().toBuffer())
    await writeFile(file(3), 'no picture')
    const paths = await write(
      `${name}/paths`,
      `SELECT i AS item_id, CASE WHEN i <> 2 THEN i || '.png' END AS image FROM (VALUES (3), (1), (2), (0)) t(i)`,
    )
    const bytes = await write(
      `${name}/bytes`,
      `SELECT i AS item_id, content AS image FROM range(4) r(i) LEFT JOIN read_blob(${literal(join(folder, name, '*.png'))})
       ON parse_filename(filename, true) = CAST(i AS VARCHAR) ORDER BY hash(i)`,
    )
    return { bytes, paths, broken: file(3) }
  }

  test('when pictures come as bytes or as paths then they are the same, by item', async () => {
    const { bytes, paths } = await catalogue('same')
    const [a, b] = [await prepare(bytes), await prepare(paths)]
    assert.deepEqual([...a.present], [1, 1, 0, 0])
    assert.deepEqual(b.present, a.present)
    assert.deepEqual(
      a.rejected.map(({ index }) => index),
      [3],
    )
    const all = await a.normalized([0, 1, 2, 3], plain)
    assert.deepEqual(await b.normalized([0, 1, 2, 3], plain), all)
    // First channel of the left edge: red, blue; a missing picture is zeros.
    assert.deepEqual([all[0], all[192]].map(Math.round), [1, 0])
    assert.ok(all.subarray(2 * 192).every((value) => value === 0))
    assert.deepEqual(await a.normalized([1], plain), all.subarray(192, 2 * 192))
    a.close()
    b.close()
  })

  test('when pictures were prepared before then they come from the cache, unless something changed', async () => {
    const { paths } = await catalogue('cached')
    const cache = join(folder, 'own cache')
    const files = async () => ((await readdir(cache, { recursive: true })) as string[]).sort()
    const open = async (more: Partial<PictureOptions> = {}) => {
      const pictures = await prepare(paths, { cache, ...more })
      const values = await pictures.normalized([0, 1, 2, 3], plain)
      pictures.close()
      return values
    }
    const first = await open()
    const kept = await files()
    assert.deepEqual(await open(), first)
    assert.deepEqual(await files(), kept)
    const changed = await halves(white, white).png().toBuffer()
    await writeFile(join(folder, 'cached', '0.png'), changed)
    const second = await open()
    assert.notDeepEqual(second, first)
    // One picture more is stored; the other is known by its bytes.
    const added = (await pixels(cache)).filter((file) => !kept.includes(file))
    assert.deepEqual(await Promise.all(added.map(async (file) => (await stat(join(cache, file))).size)), [8 * 8 * 3])
    await open({ fit: 'fill' })
    assert.ok((await readdir(cache)).length === 2)
    // Without its pixels what a list says is made again.
    for (const file of await pixels(cache)) await rm(join(cache, file))
    assert.deepEqual(await open(), second)
  })

  test('when pictures are equal then they are decoded and stored once', async () => {
    const picture = await halves(red, blue).png().toBuffer()
    const items = await write(
      'equal',
      `SELECT i AS item_id, from_hex('${picture.toString('hex')}') AS image FROM range(600) r(i)`,
    )
    const cache = join(folder, 'equal cache')
    const pictures = await prepare(items, { cache })
    assert.deepEqual(await pictures.normalized([0], plain), await pictures.normalized([599], plain))
    assert.deepEqual([pictures.prepared.distinct[0], pictures.prepared.distinct[599]], [0, 0])
    assert.equal(pictures.prepared.slot.length, 1)
    pictures.close()
  })

  test('when preparing is stopped then what was decoded is there when it goes on', async () => {
    const { paths } = await catalogue('stopped')
    const cache = join(folder, 'stopped cache')
    const { pictures: source } = await loadItems(db, paths, columns)
    const stop = () => {
      throw new Error('enough')
    }
    await assert.rejects(preparePictures(source, { ...defaults, cache }, stop), { message: 'enough' })
    const kept = await pixels(cache)
    assert.equal(kept.length, 1)
    ;(await prepare(paths, { cache })).close()
    assert.deepEqual(await pixels(cache), kept)
  })

  test('when several fill one cache at once then both get all pictures', async () => {
    const { bytes, paths } = await catalogue('both')
    const cache = join(folder, 'shared cache')
    // A connection reads one table at a time.
    const connections = await Promise.all([bytes, paths, bytes, paths].map(() => openDatabase()))
    const all = await Promise.all(
      [bytes, paths, bytes, paths].map(async (items, i) => {
        const { pictures } = await loadItems(connections[i], items, columns)
        return preparePictures(pictures, { ...defaults, cache })
      }),
    )
    const values = await Promise.all(all.map((pictures) => pictures.normalized([0, 1, 2, 3], plain)))
    for (const other of values) assert.deepEqual(other, values[0])
    const left = (await readdir(cache, { recursive: true })).filter((file) => file.includes('.part'))
    assert.deepEqual(left, [])
    const again = await prepare(paths, { cache })
    assert.deepEqual(await again.normalized([0, 1, 2, 3], plain), values[0])
    for (const pictures of [...all, again]) pictures.close()
  })

  test('when the cache is full then pictures are decoded when needed, to the same pixels', async () => {
    const { bytes, paths } = await catalogue('streamed')
    const cached = await prepare(paths)
    const all = [3, 0, 1, 2, 0]
    const expected = await cached.normalized(all, plain)
    assert.equal(cached.streamed, 0)
    cached.close()
    // Room for none, and for one of the two.
    for (const [pixelsKept, streamed] of [
      [0, 2],
      [1, 1],
    ]) {
      const cache = join(folder, `cache of ${pixelsKept}`)
      for (const items of [bytes, paths]) {
        const pictures = await prepare(items, { cache, cacheLimit: (pixelsKept * 8 * 8 * 3) / 1e9 })
        assert.equal(pictures.streamed, streamed)
        assert.deepEqual([pictures.rejected.length, pictures.rejected[0].index], [1, 3])
        assert.deepEqual(pictures.groups(), cached.groups())
        assert.deepEqual(await pictures.normalized(all, plain), expected)
        // As in another thread, which gets plain data.
        const again = new Pictures(structuredClone(pictures.prepared))
        assert.deepEqual(await again.normalized(all, plain), expected)
        for (const one of [pictures, again]) one.close()
      }
      assert.equal((await pixels(cache)).length, pixelsKept)
    }
    const cache = join(folder, 'cache of 0')
    const later = await prepare(paths, { cache })
    assert.deepEqual([later.streamed, await later.normalized(all, plain)], [0, expected])
    later.close()
  })

  test('when a picture that does not fit into the cache is deleted then reading it is refused', async () => {
    const { paths } = await catalogue('going')
    const pictures = await prepare(paths, { cache: join(folder, 'no cache'), cacheLimit: 0 })
    await rm(join(folder, 'going', '1.png'))
    await assert.rejects(pictures.normalized([0, 1], plain), {
      id: 'picture-changed',
      message: /picture number 2 .+: missing: no such file; expected .+data\.cacheLimit/,
    })
    pictures.close()
  })

  test('when the cache is full then what was idle for a day goes first', async () => {
    const { paths } = await catalogue('full')
    const cache = join(folder, 'full cache')
    const open = async (size: number) => {
      const pictures = await prepare(paths, { cache, cacheLimit: 500e-9, size })
      pictures.close()
      return pictures.streamed
    }
    assert.deepEqual([await open(8), await open(9)], [0, 2])
    const yesterday = Date.now() / 1000 - 90_000
    for (const file of await pixels(cache)) await utimes(join(cache, file), yesterday, yesterday)
    assert.deepEqual([await open(9), await open(8)], [0, 2])
  })

  test('when too many are broken then the run stops, keeps no list of them, and goes on once they are repaired', async () => {
    const { paths, broken } = await catalogue('broken')
    const cache = join(folder, 'clean cache')
    const strict = { cache, maxBad: 0.2 }
    await assert.rejects(prepare(paths, strict), {
      id: 'pictures-bad',
      message:
        /1 of 3 pictures are broken \(1 no picture\), first number 4: .+; expected at most 20 %; repair them or raise/,
    })
    ;(await prepare(paths, { cache })).close()
    await assert.rejects(prepare(paths, strict), { id: 'pictures-bad' })
    await writeFile(broken, await readFile(join(folder, 'broken', '0.png')))
    const pictures = await prepare(paths, strict)
    assert.deepEqual([...pictures.present], [1, 1, 0, 1])
    pictures.close()
  })
})
