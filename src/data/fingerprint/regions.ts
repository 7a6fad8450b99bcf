/** Which bytes of a file are hashed: all of a small table; of a large one footers, heads of columns and spread blocks. */

/** Bytes of one column in one row group. */
export interface Chunk {
  column: string
  start: number
  length: number
}

/** Bytes [start, end) of a file that belong to one column; `column` is empty for footers and what is between columns. */
export interface Region {
  column: string
  start: number
  end: number
}

/** Divides a file of `size` bytes into regions, in order. Chunks may come in any order and may be nonsense. */
export function regionsOf(size: number, chunks: readonly Chunk[]): Region[] {
  const regions: Region[] = []
  let end = 0
  const add = (column: string, to: number) => {
    if (to > end) regions.push({ column, start: end, end: to })
    end = Math.max(end, to)
  }
  for (const { column, start, length } of chunks.toSorted((a, b) => a.start - b.start)) {
    add('', Math.min(start, size))
    add(column, Math.min(start + length, size))
  }
  add('', size)
  return regions
}

/** Bytes that are hashed at most, about: a second or two. */
export const bytesLimit = 2 ** 30
/** Bytes of a spread block, of the head of a column (its dictionary and first values), and of a footer. */
const [blockBytes, headBytes, footerBytes] = [2 ** 16, 2 ** 12, 2 ** 20]
/** Heads that are hashed at most: reading many places takes longer than reading many bytes. */
const headsLimit = 2 ** 15

/** Every `stride`-th block and every `every`-th head; a stride of 1 means all bytes. */
export interface Sampling {
  stride: number
  every: number
}

/**
 * Powers of 2, so that the same bytes of a file are hashed if another file of the table grows a little.
 * @param bytes of all files
 * @param regions number of all regions
 */
export function samplingOf(bytes: number, regions: number, limit = bytesLimit): Sampling {
  const power = (ratio: number) => 2 ** Math.max(0, Math.ceil(Math.log2(ratio)))
  return { stride: power(bytes / limit), every: power(regions / headsLimit) }
}

/** The parts [from, to) of the region at `index` of `regions` that are hashed. They may overlap. */
export function* partsOf(regions: readonly Region[], index: number, sampling: Sampling): Generator<[number, number]> {
  const { start, end } = regions[index]
  const { stride, every } = sampling
  if (stride === 1) {
    yield [start, end]
    return
  }
  if (index % every === 0) yield [start, Math.min(start + headBytes, end)]
  if (index === regions.length - 1) yield [Math.max(start, end - footerBytes), end]
  const step = stride * blockBytes
  for (let block = Math.floor(start / step) * step; block < end; block += step) {
    const [from, to] = [Math.max(block, start), Math.min(block + blockBytes, end)]
    if (from < to) yield [from, to]
  }
}
