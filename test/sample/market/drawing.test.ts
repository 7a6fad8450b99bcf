import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { Random } from '../../../src/base/random.js'
import { renderSvg } from '../../../src/data/pictures/libvips.js'
import { vocabulary } from '../../../src/sample/market/attributes.js'
import { drawItem, drawLook, render } from '../../../src/sample/market/drawing.js'

const product = (category: number, color: number, pattern: number) => ({
  attributes: { category, color, pattern },
  look: drawLook(Random.of(`look of ${category}/${color}/${pattern}`)),
})
const pose = (name: string) => Random.of(name)

/** All pixels, RGB, row by row. */
const pixels = (svg: string) => renderSvg(svg, (image) => image.removeAlpha().raw().toBuffer())

test('when an item is drawn twice in one pose then the drawings are the same, in another pose they differ', () => {
  assert.equal(drawItem(product(0, 0, 1), pose('a')), drawItem(product(0, 0, 1), pose('a')))
  assert.notEqual(drawItem(product(0, 0, 1), pose('a')), drawItem(product(0, 0, 1), pose('b')))
})

test('when a drawing is encoded then it decodes to 64 × 64 in each format', async () => {
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const meta = await sharp(await render(drawItem(product(2, 4, 3), pose('a')), format)).metadata()
    assert.deepEqual([meta.format, meta.width, meta.height, meta.channels], [format, 64, 64, 3])
  }
})

test('when category, color or pattern differ then the middle of the picture differs', async () => {
  const plain = await pixels(drawItem(product(0, 0, 0), pose('a')))
  for (let category = 0; category < vocabulary.category; category++) {
    for (const [color, pattern] of [
      [0, 0],
      [4, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
    ]) {
      if (category === 0 && color === 0 && pattern === 0) continue
      const other = await pixels(drawItem(product(category, color, pattern), pose('a')))
      let differing = 0
      for (let i = 0; i < plain.length; i++) if (Math.abs(plain[i] - other[i]) > 24) differing++
      // The ground is the same: what differs is the item.
      assert.ok(differing > 80, `${category}/${color}/${pattern}: ${differing} values differ`)
    }
  }
})
