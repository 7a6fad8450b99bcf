/**
 * Fingerprints of what a run reads. They depend on content alone, not on places or times, so that a copy of a data set
 * equals it.
 */
import { z } from 'zod'

/** Files that belong together: a table, a checkpoint, a published table of vectors. */
export interface FilesPrint {
  kind: 'files'
  /** Rows of a table. */
  rows?: number
  files: FilePrint[]
  /** Columns of a Parquet table in their order, each over all files. */
  columns?: { name: string; hash: string }[]
  /** The model that made a published table of vectors, as its manifest says. */
  version?: string
  /** Changes whenever one of the files is written or replaced; absent if that is not known. See `stampOf`. */
  stamp?: string
}

export interface FilePrint {
  /** Relative to the folder of the table or checkpoint; empty for a table in one file. */
  name: string
  /** Bytes. */
  size: number
  hash: string
}

/** Pictures in the order of their items. */
export interface PicturesPrint {
  kind: 'pictures'
  /** The option of the table that names them: paths start from its folder. */
  of: string
  /** Pictures that can be read. */
  count: number
  hash: string
  /** Hashes of some picture files by path, evenly spread: those that can be compared before the table is read. */
  sample: Record<string, string>
}

/** A name that is bound to a content, such as the commit of a model that was downloaded. */
export interface NamePrint {
  kind: 'name'
  name: string
}

export type Print = FilesPrint | PicturesPrint | NamePrint

/** The fingerprints of all inputs, by option, e.g. `data.impressions`. */
export type Prints = Record<string, Print>

const file = z.object({ name: z.string(), size: z.number(), hash: z.string() })

/** The rule of fingerprints in a file. */
export const printsRule: z.ZodType<Prints> = z.record(
  z.string(),
  z.discriminatedUnion('kind', [
    z.looseObject({
      kind: z.literal('files'),
      rows: z.number().optional(),
      files: z.array(file),
      columns: z.array(z.object({ name: z.string(), hash: z.string() })).optional(),
      version: z.string().optional(),
      stamp: z.string().optional(),
    }),
    z.looseObject({
      kind: z.literal('pictures'),
      of: z.string(),
      count: z.number(),
      hash: z.string(),
      sample: z.record(z.string(), z.string()),
    }),
    z.looseObject({ kind: z.literal('name'), name: z.string() }),
  ]),
)

/** Digits of a hash in a fingerprint: 64 bits, because nobody attacks them. */
export const hashDigits = 16
