import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { type Augmentation, augmentPicture, augmentTitle } from '../../../src/data/items/augment.js'

const none: Augmentation = { crop: 1, mirror: false, tint: 0, dropWords: 0 }
const size = 8
const picture = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 37) % 256)
const mirrored = Uint8Array.from(picture, (_, i) => {
  const [x, y, channel] = [Math.floor(i / 3) % size, Math.floor(i / 3 / size), i % 3]
  return picture[(y * size + (size - 1 - x)) * 3 + channel]
})

test('when augmentation is off then the picture is unchanged', () => {
  assert.deepEqual([...augmentPicture(picture, size, none, Random.of(1))], [...picture])
})

test('when pictures are mirrored then about half are, and nothing else changes', () => {
  const random = Random.of(1)
  let changed = 0
  for (let i = 0; i < 100; i++) {
    const made = [...augmentPicture(picture, size, { ...none, mirror: true }, random)]
    const isSame = made.every((value, k) => value === picture[k])
    if (!isSame) assert.deepEqual(made, [...mirrored])
    changed += isSame ? 0 : 1
  }
  assert.ok(changed > 30 && changed < 70, `${changed} of 100`)
})

test('when a picture of a slope is cropped then it is a gentler slope within the same range', () => {
  const slope = Uint8Array.from({ length: size * size * 3 }, (_, i) => 20 * (Math.floor(i / 3) % size))
  const made = augmentPicture(slope, size, { ...none, crop: 0.25 }, Random.of(3))
  const row = Array.from({ length: size }, (_, x) => made[x * 3])
  assert.ok(row.every((value, x) => x === 0 || value >= row[x - 1]))
  assert.ok(row[size - 1] - row[0] < 140 && row[size - 1] - row[0] > 60, `${row}`)
})

test('when channels are tinted then each changes by the share at most', () => {
  const gray = new Uint8Array(size * size * 3).fill(100)
  const random = Random.of(4)
  for (let i = 0; i < 20; i++) {
    const made = augmentPicture(gray, size, { ...none, tint: 0.1 }, random)
    assert.ok(made.every((value) => value >= 90 && value <= 110))
  }
})

test('when words are left out then the others keep their order and one stays', () => {
  const random = Random.of(5)
  const words = 'blue linen summer dress'.split(' ')
  for (let i = 0; i < 50; i++) {
    const kept = augmentTitle(words.join(' '), { ...none, dropWords: 0.7 }, random).split(' ')
    assert.ok(kept.length >= 1)
    const places = kept.map((word) => words.indexOf(word))
    assert.ok(places.every((place, k) => place >= 0 && (k === 0 || place > places[k - 1])))
  }
})
