import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import sharp, { type Sharp } from 'sharp'
import { decodeAll, writeNormalised } from '../../src/data/decode.js'
import { literal } from '../../src/data/duckdb.js'
import { loadItems } from '../../src/data/items.js'
import { type PictureOptions, preparePictures } from '../../src/data/pictures.js'
import { openTables } from './tables.js'

const { db, folder, write } = await openTables()
const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }

type Color = [number, number, number]
const [red, blue, white]: Color[] = [
  [255, 0, 0],
  [0, 0, 255],
  [255, 255, 255],
]

/** A picture whose left and right halves have a colour each. */
function halves(left: Color, right: Color, width = 32, height = 32): Sharp {
  const pixels = Buffer.from(
    Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? left : right)).flat(),
  )
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

const options = { size: 8, fit: 'cover' as const, maxPixels: 10_000 }

/** Colour of the decoded picture at the middle of its left, right, upper and lower edge. */
async function edges(picture: Uint8Array | string, more: Partial<typeof options> | { fit: 'fill' } = {}) {
  const [decoded] = await decodeAll([picture], folder, { ...options, ...more })
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

  test('when a picture is grey, of 8 or 16 bits, with or without alpha, then the three channels are equal', async () => {
    const grey = halves([200, 200, 200], [40, 40, 40])
    const pictures = {
      jpeg: await grey.clone().toColourspace('b-w').jpeg().toBuffer(),
      png16: await grey.clone().toColourspace('grey16').png().toBuffer(),
      alpha: await grey.clone().toColourspace('b-w').ensureAlpha().png().toBuffer(),
    }
    for (const [name, picture] of Object.entries(pictures)) {
      const { channels, depth } = await sharp(picture).metadata()
      assert.deepEqual([name, channels, depth], [name, name === 'alpha' ? 2 : 1, name === 'png16' ? 'ushort' : 'uchar'])
      const { left, right } = await edges(picture)
      near(left, [200, 200, 200])
      near(right, [40, 40, 40])
    }
  })

  test('when a picture is CMYK then it becomes RGB', async () => {
    const picture = await halves(white, red).toColourspace('cmyk').jpeg().toBuffer()
    assert.equal((await sharp(picture).metadata()).channels, 4)
    const { left, right } = await edges(picture)
    near(left, white, 12)
    // Ink cannot be as red as a screen.
    assert.ok(right[0] > 180 && right[1] < 90 && right[2] < 90, `${right}`)
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
    near((await edges(wide, { fit: 'fill' })).left, red, 20)
  })

  test('when a picture is broken, too large, missing or outside the folder then an error stands for it', async () => {
    const whole = await halves(red, blue).jpeg().toBuffer()
    const huge = await halves(red, blue, 101, 100).png().toBuffer()
    await writeFile(join(folder, 'ok.jpg'), whole)
    await mkdir(join(folder, '..odd'), { recursive: true })
    await writeFile(join(folder, '..odd', 'ok.jpg'), whole)
    const bad = [whole.subarray(0, whole.length / 2), huge, Buffer.from('no picture'), Buffer.alloc(0)]
    const outside = ['gone.jpg', '', '../ok.jpg', join(folder, 'ok.jpg'), 'https://example.com/x.png']
    for (const result of await decodeAll([...bad, ...outside], folder, options)) assert.ok(result instanceof Error)
    const [none, ok, odd, again] = await decodeAll([null, 'ok.jpg', '..odd/ok.jpg', whole], folder, options)
    assert.equal(none, null)
    assert.deepEqual(ok, again)
    assert.deepEqual(odd, again)
  })

  test('when pixels are normalised then channels come first, each by its own mean and deviation', () => {
    const out = new Float32Array(8)
    writeNormalised(Uint8Array.of(0, 51, 102, 255, 204, 153), { mean: [0, 0.2, 0.5], std: [1, 0.5, 0.1] }, out, 2)
    // 51/255 is 0.2: (0, 1), ((0.2, 0.8) − 0.2)/0.5, ((0.4, 0.6) − 0.5)/0.1.
    const expected = [0, 0, 0, 1, 0, 1.2, -1, 1]
    expected.forEach((value, i) => {
      assert.ok(Math.abs(out[i] - value) < 1e-5, `${i}: ${out[i]}`)
    })
  })
})

describe('Pictures of a catalogue', () => {
  const prepare = async (items: string, more: Partial<PictureOptions> = {}) => {
    const { pictures } = await loadItems(db, items, columns)
    return preparePictures(pictures, { ...options, cache: join(folder, 'cache'), maxBad: 0.5, ...more })
  }
  const plain = { mean: [0, 0, 0], std: [1, 1, 1] }

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
    const all = a.normalised([0, 1, 2, 3], plain)
    assert.deepEqual(b.normalised([0, 1, 2, 3], plain), all)
    // First channel of the left edge: red, blue; a missing picture is zeros.
    assert.deepEqual([all[0], all[192]].map(Math.round), [1, 0])
    assert.ok(all.subarray(2 * 192).every((value) => value === 0))
    assert.deepEqual(a.normalised([1], plain), all.subarray(192, 2 * 192))
    a.close()
    b.close()
  })

  test('when pictures were prepared before then they come from the cache, unless something changed', async () => {
    const { paths } = await catalogue('cached')
    const cache = join(folder, 'own cache')
    const files = async () => (await readdir(cache)).sort()
    const open = async (more: Partial<PictureOptions> = {}) => {
      const pictures = await prepare(paths, { cache, ...more })
      const values = pictures.normalised([0, 1, 2, 3], plain)
      pictures.close()
      return values
    }
    const first = await open()
    const kept = await files()
    assert.equal(kept.length, 2)
    assert.deepEqual(await open(), first)
    assert.deepEqual(await files(), kept)
    await writeFile(join(folder, 'cached', '0.png'), await halves(white, white).png().toBuffer())
    assert.notDeepEqual(await open(), first)
    assert.equal((await files()).length, 4)
    await open({ fit: 'fill' })
    assert.equal((await files()).length, 6)
  })

  test('when too many are broken then the run stops, keeps nothing, and goes on once they are repaired', async () => {
    const { paths, broken } = await catalogue('broken')
    const cache = join(folder, 'clean cache')
    const strict = { cache, maxBad: 0.2 }
    await assert.rejects(prepare(paths, strict), {
      id: 'pictures-bad',
      message: /1 of 4 pictures are broken, first number 4: .+; expected at most 20 %; repair them or raise/,
    })
    assert.deepEqual(await readdir(cache), [])
    ;(await prepare(paths, { cache })).close()
    await assert.rejects(prepare(paths, strict), { id: 'pictures-bad' })
    await writeFile(broken, await readFile(join(folder, 'broken', '0.png')))
    const pictures = await prepare(paths, strict)
    assert.deepEqual([...pictures.present], [1, 1, 0, 1])
    pictures.close()
  })
})
