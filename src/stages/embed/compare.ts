import { lstatSync } from 'node:fs'
import { EmbeddingTable, type Id } from '../../store/index.js'
import type { Description } from './describe.js'
import type { Fate, Judgment } from './items.js'
import { type EmbedWork, olderHashes } from './work.js'

/** Compares items with what an interrupted run has done, if there was one, and with what the older table holds. */
export const compareWith =
  (older: EmbeddingTable | undefined, work: EmbedWork | undefined) =>
  (ids: readonly Id[], hashes: readonly string[]): Judgment => {
    const rows = work ? work.ids.find(ids) : new Int32Array(ids.length)
    const before = older ? olderHashes(older, ids) : []
    const fates = hashes.map((hash, i): Fate => {
      if (work?.hashAt(rows[i]) === hash) return 'known'
      if (!before[i]) return 'new'
      return before[i] === hash ? 'unchanged' : 'changed'
    })
    return { rows, fates }
  }

/** Differences between two tables that keep a row of one from standing in the other, e.g. "type int8, not float32". */
export function tableDifferences(one: Description, other: Description): string[] {
  const facts = ({ model_version, type, widths, ids }: Description) => ({
    model: model_version,
    type,
    width: widths.embedding,
    ids,
  })
  const theirs = Object.entries(facts(other))
  return theirs.flatMap(([name, value]) => {
    const ours = facts(one)[name as keyof ReturnType<typeof facts>]
    return ours === value ? [] : [`${name} ${value}, not ${ours}`]
  })
}

/** The table at `path`, if its rows may stand beside those of `wanted`. */
export function openOlder(path: string, wanted: Description, say: (line: string) => void): EmbeddingTable | undefined {
  // A folder that is no link is of a version of mim before links.
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined
  const older = EmbeddingTable.open(path)
  const differences = tableDifferences(wanted, older.manifest)
  if (differences.length === 0) return older
  older.close()
  say(`all vectors are computed anew: the published table has ${differences.join('; ')}`)
  return undefined
}
