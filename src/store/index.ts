export { type Neighbor, nearestRows } from './exact.js'
export { HnswIndex } from './hnsw.js'
export { compareIds, type Id, type IdKind, IdWriter, idFile, idKind, SortedIds } from './ids.js'
export { type Chunk, Cursor, mergedRows } from './merge.js'
export { publishTable, recoverTable } from './publish.js'
export {
  arrayFile,
  arrayNames,
  asFloats,
  flags,
  hashBytes,
  int8Scale,
  normOf,
  oddVector,
  type RawRows,
  RowFiles,
  type RowShape,
  storedVector,
  type VectorName,
  type VectorType,
  vectorFlags,
  vectorNames,
  vectorProblem,
  vectorTypes,
} from './rows.js'
export { changedFiles, fileSums, Summing } from './sums.js'
export {
  currentFormat,
  currentTable,
  EmbeddingTable,
  type Found,
  type ListKind,
  listKinds,
  type Manifest,
  manifestFile,
  parquetFolder,
  publishedFolder,
  readManifest,
  tableFolder,
} from './table.js'
