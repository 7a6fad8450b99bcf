import { lstatSync } from 'node:fs'
import { UserError } from '../../base/errors.js'
import { EmbeddingTable, type Id } from '../../store/index.js'
import type { Description } from './describe.js'
import type { Comparison, ItemStatus } from './items.js'
import { type EmbedWork, olderItems } from './work.js'

/** Compares items by their content hashes with the vectors of an interrupted run and of the older table. */
export const compareWith =
  (older: EmbeddingTable | undefined, work: EmbedWork | undefined) =>
  (ids: readonly Id[], hashes: readonly string[]): Comparison => {
    const rows = work ? work.ids.find(ids) : new Int32Array(ids.length)
    const before = older ? olderItems(older, ids) : []
    const statuses = hashes.map((hash, i): ItemStatus => {
      if (work?.hashAt(rows[i]) === hash) return 'resumed'
      if (!before[i]) return 'new'
      return before[i].hash === hash ? 'unchanged' : 'changed'
    })
    const wereBroken = statuses.map((status, i) => status === 'unchanged' && before[i]!.isBroken)
    return { rows, statuses, wereBroken }
  }

/** Differences that make rows of table `other` unusable in table `one`, e.g. "type int8, not float32". */
export function tableDifferences(one: Description, other: Description): string[] {
  const facts = ({ model_version, type, widths, ids }: Description) => ({
    model: model_version,
    type,
    width: widths.embedding,
    ids,
  })
  const wanted = facts(one)
  return Object.entries(facts(other)).flatMap(([name, value]) => {
    const expected = wanted[name as keyof typeof wanted]
    return expected === value ? [] : [`${name} ${value}, not ${expected}`]
  })
}

/**
 * The published table at `path`, if its rows can be copied into a table of `wanted`. A spoilt one is left out, unless
 * `isNeeded`: it alone has the vectors of items that left the catalogue. Close it when done.
 * @throws UserError `store-broken`, `store-format`, `store-missing`
 */
export function openOlder(
  path: string,
  wanted: Description,
  isNeeded: boolean,
  say: (line: string) => void,
): EmbeddingTable | undefined {
  // Versions of mim before links published a plain folder.
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined
  const older = isNeeded ? EmbeddingTable.open(path) : openWhole(path, say)
  if (!older) return undefined
  const differences = tableDifferences(wanted, older.manifest)
  if (differences.length === 0) return older
  older.close()
  say(`all vectors are computed again: the published table has ${differences.join('; ')}`)
  return undefined
}

function openWhole(path: string, say: (line: string) => void): EmbeddingTable | undefined {
  let table: EmbeddingTable | undefined
  try {
    table = EmbeddingTable.open(path)
    table.ids.check()
    return table
  } catch (error) {
    table?.close()
    // A link to a table that was removed counts, too.
    if (!(error instanceof UserError && ['store-broken', 'store-missing'].includes(error.id))) throw error
    say(`the published table is spoilt and not used: ${error.message}`)
    return undefined
  }
}
