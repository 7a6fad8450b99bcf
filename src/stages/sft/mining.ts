/** Mines hard negatives: the nearest neighbors of items by the vectors that training has reached. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { brokenFile, readJson } from '../../base/ownFile.js'
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

const numbers = z.array(z.int().nonnegative())
const recovery = { remedy: 'restore the folder last/ of the run from a copy, or start again with --overwrite' }

/**
 * The neighbors that `saveMined` wrote; undefined if there are none.
 * @throws UserError `file-broken`
 */
export function loadMined(folder: string): ItemLists | undefined {
  if (existsSync(join(folder, minedFile))) {
    using file = new SafetensorsFile(join(folder, minedFile))
    for (const name of ['items', 'offsets']) file.require(name, 'I32', [file.entries.get(name)?.shape[0] ?? 0])
    return checked(file.path, { items: file.ints('items'), offsets: file.ints('offsets') })
  }
  if (!existsSync(join(folder, formerFile))) return undefined
  const path = join(folder, formerFile)
  const { items, offsets } = readJson(path, z.object({ items: numbers, offsets: numbers }), recovery)
  return checked(path, { items: Int32Array.from(items), offsets: Int32Array.from(offsets) })
}

/** Lists in their order, of items that there are. */
function checked(path: string, lists: ItemLists): ItemLists {
  const { items, offsets } = lists
  const ascend =
    offsets[0] === 0 && offsets.at(-1) === items.length && offsets.every((x, i) => i === 0 || x >= offsets[i - 1])
  const known = items.every((item) => item >= 0 && item < offsets.length - 1)
  if (ascend && known) return lists
  throw brokenFile(path, `${ascend ? 'items' : 'offsets'} are not of neighbors`, recovery)
}
