import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { type Column, ColumnStore, columnOf, FileColumn, revived } from '../../../src/data/tables/column.js'
import { temporaryFolder } from '../../sample/folders.js'

const folder = await temporaryFolder()
const [memory, disk] = [new ColumnStore(), new ColumnStore(folder)]
const random = Random.of('columns')
// More than are read or written at once.
const numbers = Int32Array.from({ length: 40_000 }, () => random.int(1000))

const filled = (store: ColumnStore) => {
  const growing = store.growing('int32')
  for (const number of numbers.subarray(0, 100)) growing.add(number)
  growing.push(numbers, 100, numbers.length - 100)
  return growing.column()
}

/** Asserts that a column is the same on disk as in memory. */
function same(make: (store: ColumnStore) => Column): void {
  const [here, there] = [make(memory), make(disk)]
  assert.deepEqual([here instanceof FileColumn, there instanceof FileColumn], [false, true])
  assert.deepEqual(there.read(), here.read())
}

describe('Columns in files', () => {
  test('when numbers are added then the column has them in order, and ranges of it can be read', () => {
    same(filled)
    const column = filled(disk)
    assert.deepEqual(column.read(), numbers)
    assert.deepEqual(column.read(16_380, 16_390), numbers.slice(16_380, 16_390))
    assert.deepEqual(Array.from(column.blocks(7), ({ values }) => [...values]).flat(), [...numbers.subarray(7)])
    assert.equal(
      column.sum(5, 39_000),
      numbers.subarray(5, 39_000).reduce((a, b) => a + b),
    )
  })

  test('when the end of a growing column is cut off then what is added later takes its place', () => {
    same((store) => {
      const growing = store.growing('float32')
      for (let i = 0; i < 50_000; i++) growing.add(i)
      assert.equal(growing.at(20_000), 20_000)
      growing.cut(20_001)
      for (let i = 0; i < 20_000; i++) growing.add(-i)
      assert.deepEqual([growing.length, growing.at(20_000), growing.at(20_002)], [40_001, 20_000, -1])
      return growing.column()
    })
  })

  test('when rows are picked then each gives its numbers, in whatever order', () => {
    const places = Int32Array.from({ length: 500 }, () => random.int(numbers.length / 4))
    for (const width of [1, 4])
      assert.deepEqual(filled(disk).pick(places, width), columnOf(numbers).pick(places, width))
    assert.deepEqual([...columnOf(numbers).pick(Int32Array.of(3), 2)], [...numbers.subarray(6, 8)])
  })

  test('when numbers are mapped or put then the column has the new ones', () => {
    same((store) => store.map(filled(store), 'float64', (number, place) => number / 3 + place))
    same((store) => {
      const column = store.zeros('uint8', 30_000)
      column.write(20_000, Uint8Array.of(1, 2, 3))
      return column
    })
  })

  test('when columns go to another thread then they can be read there', () => {
    const tree = { lists: [{ column: filled(disk) }], other: columnOf(numbers), name: 'a' }
    const there = revived(structuredClone(tree))
    assert.deepEqual(there.lists[0].column.read(0, 10), numbers.slice(0, 10))
    assert.deepEqual([there.other.sum(), there.name], [tree.other.sum(), 'a'])
  })

  test('when columns lie in files then the folder shows none, and closing gives their room back', () => {
    const column = filled(disk)
    assert.deepEqual(readdirSync(folder), [])
    disk.close()
    assert.throws(() => column.read())
  })
})
