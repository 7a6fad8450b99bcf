/** Fingerprints of files by their content. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { type FilePrint, type FilesPrint, hashDigits } from './print.js'
import { type Chunk, partsOf, type Region, regionsOf, type Sampling, samplingOf } from './regions.js'

/** A file to hash: its name in the fingerprint, and where it is. */
export interface NamedFile {
  name: string
  path: string
}

/**
 * Fingerprint of files. With `chunks`, the columns of each file by its path, also of each column.
 * @param limit bytes to hash at most, about; Infinity: all
 */
export function printOfFiles(
  files: readonly NamedFile[],
  { chunks, limit }: { chunks?: ReadonlyMap<string, readonly Chunk[]>; limit?: number } = {},
): FilesPrint {
  const regions = files.map(({ path }) => regionsOf(statSync(path).size, chunks?.get(path) ?? []))
  const bytes = regions.reduce((sum, of) => sum + (of.at(-1)?.end ?? 0), 0)
  const sampling = samplingOf(
    bytes,
    regions.reduce((sum, of) => sum + of.length, 0),
    limit,
  )
  const columns = new Map<string, Hash>()
  const printed = files.map((file, i) => printOfFile(file, regions[i], sampling, columns))
  const named = [...columns].map(([name, hash]) => ({ name, hash: shortened(hash) }))
  return { kind: 'files', files: printed, ...(chunks ? { columns: named } : {}) }
}

function printOfFile(
  { name, path }: NamedFile,
  regions: readonly Region[],
  sampling: Sampling,
  columns: Map<string, Hash>,
): FilePrint {
  const whole = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    for (const [i, { column, start, end }] of regions.entries()) {
      const hash = createHash('sha256').update(`${end - start} `)
      for (const [from, to] of partsOf(regions, i, sampling)) update(hash, file, from, to)
      const digest = hash.digest()
      whole.update(column).update(digest)
      if (column === '') continue
      if (!columns.has(column)) columns.set(column, createHash('sha256'))
      columns.get(column)!.update(digest)
    }
  } finally {
    closeSync(file)
  }
  return { name, size: regions.at(-1)?.end ?? 0, hash: shortened(whole) }
}

const buffer = Buffer.alloc(2 ** 20)

function update(hash: Hash, file: number, from: number, to: number): void {
  for (let at = from; at < to; ) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, to - at), at)
    // Cut short while it is read; the reader of the table reports it.
    if (read === 0) return
    hash.update(buffer.subarray(0, read))
    at += read
  }
}

const shortened = (hash: Hash) => hash.digest('hex').slice(0, hashDigits)

/** Files that were written within this time could be written again without a visible change of their times [ms]. */
const settled = 10_000

/**
 * Changes whenever one of the files is written, replaced or renamed: it holds inode, size and both times, of which the
 * time of change cannot be set. Undefined if a file was written just now, or is not on this machine.
 */
export function stampOf(files: readonly NamedFile[]): string | undefined {
  const hash = createHash('sha256')
  const now = Date.now()
  for (const { name, path } of files) {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (!found || now - Number(found.ctimeMs) < settled) return undefined
    hash.update(JSON.stringify([name, ...[found.ino, found.size, found.mtimeNs, found.ctimeNs].map(String)]))
  }
  return shortened(hash)
}
