import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { warningText } from '../../../src/base/warning.js'
import { sftConfig } from '../../../src/config/sft.js'
import { loadMined, mineNeighbors, saveMined } from '../../../src/stages/sft/mining.js'
import { contentWarnings } from '../../../src/stages/sft/stage.js'
import { temporaryFolder } from '../../sample/folders.js'

/** Items on a circle, 10° apart: neighbors are the numbers next to one's own. */
const onCircle = async (rows: Int32Array) =>
  Float32Array.from([...rows].flatMap((row) => [Math.cos((row * Math.PI) / 18), Math.sin((row * Math.PI) / 18)]))

const config = (negatives: object) => sftConfig.parse({ seed: 5, negatives })

test('when all items are mined then each has its nearest neighbors, without itself', async () => {
  const { items, offsets } = await mineNeighbors(12, 0, config({ mineDepth: 2 }), onCircle)
  const near = (item: number) => [...items.subarray(offsets[item], offsets[item + 1])].sort((a, b) => a - b)
  assert.deepEqual(
    [near(0), near(5), near(11)],
    [
      [1, 2],
      [4, 6],
      [9, 10],
    ],
  )
})

test('when some items are mined then lists are of these alone, others each time but the same for a step', async () => {
  const mined = (step: number) => mineNeighbors(30, step, config({ mineAmong: 8, mineDepth: 3 }), onCircle)
  const { items, offsets } = await mined(7)
  const listed = Array.from({ length: 30 }, (_, i) => i).filter((i) => offsets[i + 1] > offsets[i])
  assert.equal(listed.length, 8)
  assert.equal(items.length, 24)
  assert.ok([...items].every((item) => listed.includes(item)))
  assert.deepEqual(await mined(7), { items, offsets })
  assert.notDeepEqual((await mined(8)).items, items)
})

test('when mined neighbors are saved then they are loaded as they were, in 4 bytes a number', async () => {
  const folder = await temporaryFolder()
  assert.equal(loadMined(folder), undefined)
  const mined = await mineNeighbors(30, 7, config({ mineAmong: 8, mineDepth: 3 }), onCircle)
  saveMined(folder, mined)
  assert.deepEqual(loadMined(folder), mined)
  assert.deepEqual(readdirSync(folder), ['mined.safetensors'])
})

test('when an earlier version saved mined neighbors as JSON then they are loaded', async () => {
  const folder = await temporaryFolder()
  writeFileSync(join(folder, 'mined.json'), JSON.stringify({ items: [1, 0], offsets: [0, 1, 2, 2] }))
  assert.deepEqual(loadMined(folder), { items: Int32Array.of(1, 0), offsets: Int32Array.of(0, 1, 2, 2) })
})

test('when content is lost or collapses then a warning says so, and what to do', () => {
  const before = { mean_cosine: 0, title_to_image_recall_10: 0.4 }
  const warnings = (mean_cosine: number, recall: number) =>
    contentWarnings(before, { mean_cosine, title_to_image_recall_10: recall }, 0.5).map(warningText)
  assert.deepEqual(warnings(0.5, 0.2), [])
  assert.match(warnings(0.95, 0.2).join(), /^warning: the vectors have collapsed: mean cosine 0\.950; /)
  assert.match(warnings(0.5, 0.1).join(), /^warning: title → picture recall@10 is 25 % of stage 1's; raise /)
  const [{ id }] = contentWarnings(before, { mean_cosine: 0.5, title_to_image_recall_10: 0.1 }, 0.5)
  assert.equal(id, 'retention')
  // Without titles or pictures there is nothing to keep.
  assert.deepEqual(contentWarnings({ mean_cosine: 0 }, { mean_cosine: 0.1 }, 0.5), [])
})
