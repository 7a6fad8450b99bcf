/** Hard negatives found by the vectors that training has reached: the nearest neighbors of items. */
import { Random } from '../../base/random.js'
import type { SftConfig } from '../../config/sft.js'
import type { ItemLists } from '../../data/choices/itemLists.js'
import { takeRows } from '../../data/tables/matrix.js'
import { nearestItems } from '../../metrics/index.js'

/**
 * Neighbors of items, nearest first, by item number. At most `mineAmong` of the `count` items, drawn by seed and
 * step, are searched for those of each other; the others have none. `encode` gives vectors [rows, width].
 */
export async function mineNeighbors(
  count: number,
  step: number,
  { seed, negatives: { mineAmong, mineDepth } }: Pick<SftConfig, 'seed' | 'negatives'>,
  encode: (rows: Int32Array) => Promise<Float32Array>,
): Promise<ItemLists> {
  const all = Random.of(seed, 'mine', step).shuffle(Int32Array.from({ length: count }, (_, i) => i))
  const rows = all.slice(0, mineAmong).sort()
  const vectors = await encode(rows)
  const width = vectors.length / rows.length
  const depth = Math.min(mineDepth, rows.length - 1)
  const items = new Int32Array(rows.length * depth)
  const offsets = new Int32Array(count + 1)
  for (const [r, row] of rows.entries()) {
    const query = takeRows(vectors, width, [r])
    for (const [k, near] of nearestItems(query, vectors, depth, new Set([r])).entries())
      items[r * depth + k] = rows[near]
    offsets[row + 1] = depth
  }
  for (let item = 0; item < count; item++) offsets[item + 1] += offsets[item]
  return { items, offsets }
}
