/** Embedding tables whose vectors are known: each is made of nothing but its id. */
import { mkdir } from 'node:fs/promises'
import { Random } from '../../src/base/random.js'
import { writeTable } from '../../src/stages/embed/publish.js'
import {
  type Chunk,
  currentFormat,
  EmbeddingTable,
  flags,
  type Id,
  idKind,
  int8Scale,
  type Manifest,
  storedVector,
  type VectorType,
} from '../../src/store/index.js'

export const width = 8

/** The unit vector that an id stands for. */
export function vectorOf(id: Id): Float32Array {
  const random = Random.of('vector', String(id))
  const numbers = Float32Array.from({ length: width }, () => random.normal())
  const norm = Math.hypot(...numbers)
  return numbers.map((x) => x / norm)
}

function chunkOf(
  ids: readonly Id[],
  type: VectorType,
  pick: (id: Id) => Float32Array,
  isFirst: (i: number) => boolean,
): Chunk {
  const bytes = (lacks: (i: number) => boolean) =>
    Buffer.concat(
      ids.map((id, i) => {
        const vector = lacks(i) ? pick(id).fill(0) : pick(id)
        const stored = storedVector(vector, vector.length, type)
        return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
      }),
    )
  const vectors = bytes(() => false)
  return {
    ids: [...ids],
    rows: {
      embedding: vectors,
      image_embedding: bytes(isFirst),
      text_embedding: vectors,
      content_hash: Buffer.concat(ids.map((_, i) => Buffer.alloc(16, i % 251))),
      present: Buffer.from(ids.map((_, i) => flags.embedding | flags.text | (isFirst(i) ? 0 : flags.image))),
    },
  }
}

/**
 * Writes a table of a vector for each of `ids`, which ascend; every third, from the first on, has none of its picture.
 * `pick` gives new arrays of one length.
 */
export async function madeTable(
  folder: string,
  idType: string,
  ids: readonly Id[],
  type: VectorType,
  pick: (id: Id) => Float32Array = vectorOf,
  formats: Pick<Manifest, 'lists' | 'safetensors'> = { lists: 'variable', safetensors: false },
): Promise<EmbeddingTable> {
  await mkdir(folder)
  const { length } = pick(ids[0])
  const widths = { embedding: length, image_embedding: length, text_embedding: length }
  const scale = type === 'int8' ? int8Scale : 1
  const kind = { ids: idKind(idType), id_type: idType }
  const description = { format: currentFormat, ...kind, type, scale, widths, model_version: 'v1', ...formats }
  const chunks: Chunk[] = []
  for (let from = 0; from < ids.length; from += 2048) {
    chunks.push(chunkOf(ids.slice(from, from + 2048), type, pick, (i) => (from + i) % 3 === 0))
  }
  await writeTable(folder, chunks, description, true, () => {})
  return EmbeddingTable.open(folder)
}
