/** Sizes and checksums of the files of a table, in its manifest: computed while the files are written. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { npyHeaderBytes } from '../formats/npy.js'
import { brokenTable } from './broken.js'

export interface FileSum {
  bytes: number
  /** SHA-256 of the content; of a .npy file without its header, which follows from the manifest. */
  sha256: string
}

/** By path in the folder of the table, with `/`. */
export type FileSums = Record<string, FileSum>

/** The rule of sums in a manifest. A name must not lead out of the folder. */
export const fileSums: z.ZodType<FileSums> = z.record(
  z.string().regex(/^(?!.*\.\.)[\w.-]+(\/[\w.-]+)*$/),
  z.object({ bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
)

/** Bytes read at a time. */
const pieceBytes = 2 ** 22

const bytesBefore = (name: string) => (name.endsWith('.npy') ? npyHeaderBytes : 0)

/** Sums up files while they are written. */
export class Summing {
  private readonly hashes = new Map<string, Hash>()

  constructor(private readonly folder: string) {}

  /** Adds what is written at the end of a file, after the header of a .npy file. */
  add(name: string, bytes: Uint8Array): void {
    const hash = this.hashes.get(name) ?? createHash('sha256')
    this.hashes.set(name, hash.update(bytes))
  }

  /** Adds a file that another program wrote; reads it, best at once, while the system has it in memory. */
  addFile(name: string): void {
    this.hashes.set(name, hashOf(this.folder, name))
  }

  /** The sums, when all files are complete. */
  finish(): FileSums {
    const named = [...this.hashes].sort(([a], [b]) => (a < b ? -1 : 1))
    const sums = named.map(([name, hash]): [string, FileSum] => [
      name,
      { bytes: statSync(join(this.folder, name)).size, sha256: hash.digest('hex') },
    ])
    return Object.fromEntries(sums)
  }
}

/** Checks that the files of `sums` are there and have their sizes. @throws UserError `store-broken` */
export function checkSizes(folder: string, sums: FileSums): void {
  for (const [name, sum] of Object.entries(sums)) {
    const problem = sizeProblem(folder, name, sum)
    if (problem) throw brokenTable(join(folder, name), ...problem)
  }
}

function sizeProblem(folder: string, name: string, { bytes }: FileSum): [what: string, expected?: string] | undefined {
  const found = statSync(join(folder, name), { throwIfNoEntry: false })
  if (!found) return ['the file is missing']
  if (!found.isFile()) return ['not a file']
  return found.size === bytes ? undefined : [`${found.size} bytes`, `${bytes}, as in the manifest`]
}

/** The files with another content than they were written with, e.g. "embedding.npy: 3 bytes". Reads all of them. */
export function* changedFiles(folder: string, sums: FileSums): Generator<string> {
  for (const [name, sum] of Object.entries(sums)) {
    const [what, expected] = sizeProblem(folder, name, sum) ?? []
    if (what !== undefined) yield `${name}: ${what}${expected ? `; expected ${expected}` : ''}`
    else if (hashOf(folder, name).digest('hex') !== sum.sha256) yield `${name}: another content than was written`
  }
}

function hashOf(folder: string, name: string): Hash {
  const hash = createHash('sha256')
  const piece = Buffer.alloc(pieceBytes)
  const file = openSync(join(folder, name), 'r')
  try {
    for (let at = bytesBefore(name); ; ) {
      const size = readSync(file, piece, 0, pieceBytes, at)
      if (size === 0) return hash
      hash.update(piece.subarray(0, size))
      at += size
    }
  } finally {
    closeSync(file)
  }
}
