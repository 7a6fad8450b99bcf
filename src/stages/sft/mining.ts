/** Mines hard negatives: the nearest neighbors of items by the vectors that training has reached. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../base/random.js'
import type { SftConfig } from '../../config/sft.js'
import type { ItemLists } from '../../data/choices/itemLists.js'
import { takeRows } from '../../data/tables/matrix.js'
import { SafetensorsFile, writeSafetensors } from '../../formats/safetensors.js'
import { nearestItems } from '../../metrics/index.js'

/**
 * The nearest neighbors of each of `count` items, nearest first. Searches among at most `mineAmong` items, drawn by seed
 * and step; all other items have no neighbors. `encode` gives the content vectors of items [rows, width].
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

/** Neighbors in a folder of saved state: int32 `items` and `offsets`. */
const minedFile = 'mined.safetensors'
/** The same as JSON, as earlier versions saved them. */
const formerFile = 'mined.json'

export function saveMined(folder: string, lists: ItemLists): void {
  const tensor = (name: keyof ItemLists) =>
    ({ name, dtype: 'I32', shape: [lists[name].length], data: () => lists[name] }) as const
  writeSafetensors(join(folder, minedFile), [tensor('items'), tensor('offsets')])
}

/** The neighbors that `saveMined` wrote; undefined if there are none. */
export function loadMined(folder: string): ItemLists | undefined {
  if (existsSync(join(folder, minedFile))) {
    using file = new SafetensorsFile(join(folder, minedFile))
    return { items: file.ints('items'), offsets: file.ints('offsets') }
  }
  if (!existsSync(join(folder, formerFile))) return undefined
  const { items, offsets } = JSON.parse(readFileSync(join(folder, formerFile), 'utf8')) as Record<string, number[]>
  return { items: Int32Array.from(items), offsets: Int32Array.from(offsets) }
}
