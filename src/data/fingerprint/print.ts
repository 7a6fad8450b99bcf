/**
 * Fingerprints of what a run reads. They depend on content alone, not on places or times, so that a copy of a data set
 * equals it.
 */

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

/** Digits of a hash in a fingerprint: 64 bits, because nobody attacks them. */
export const hashDigits = 16
