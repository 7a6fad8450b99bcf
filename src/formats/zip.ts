/** The directory of a zip file (PKWARE APPNOTE 6.3.10): where each entry that is stored without compression lies. */
import type { BinaryFile } from './binaryFile.js'

/** Bytes of an entry in the file. */
export interface ByteRange {
  start: number
  length: number
}

/** Makes the error for a file that cannot be read. */
export type Refuse = (what: string, expected?: string) => Error

/** Most bytes of a directory; one of 10,000 tensors has about a million. */
const maxDirectoryBytes = 2 ** 26
const endBytes = 22
const locatorBytes = 20
const headerBytes = 46
const localBytes = 30
/** A value that is in the zip64 record instead. */
const inZip64 = 0xffffffff

/** The entries by name. @throws the error of `refuse` if an entry is compressed or the directory is invalid. */
export function storedEntries(file: BinaryFile, refuse: Refuse): Map<string, ByteRange> {
  const { count, start, length } = directoryOf(file, refuse)
  if (start + length > file.size) throw refuse('its zip directory lies outside the file')
  if (length > maxDirectoryBytes) throw refuse(`its zip directory has ${length} bytes`, `at most ${maxDirectoryBytes}`)
  const directory = file.read(start, length)
  const entries = new Map<string, ByteRange>()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + headerBytes > length || directory.readUInt32LE(at) !== 0x02014b50)
      throw refuse('its zip directory is broken')
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset))
    const extraAt = at + headerBytes + nameBytes
    const next = extraAt + extraBytes + commentBytes
    if (next > length) throw refuse('its zip directory is broken')
    const name = directory.toString('utf8', at + headerBytes, extraAt)
    if (entries.has(name)) throw refuse(`its zip has two entries '${name}'`)
    if (directory.readUInt16LE(at + 8) & 1) throw refuse(`zip entry '${name}' is encrypted`)
    const method = directory.readUInt16LE(at + 10)
    if (method !== 0) throw refuse(`zip entry '${name}' is compressed (method ${method})`, 'stored entries')
    const header = directory.subarray(at, at + headerBytes)
    const place = placeOf(header, directory.subarray(extraAt, extraAt + extraBytes), name, refuse)
    entries.set(name, rangeOf(file, place, name, refuse))
    at = next
  }
  return entries
}

/** Number of entries and place of the directory, from the record at the end of the file. */
function directoryOf(file: BinaryFile, refuse: Refuse): ByteRange & { count: number } {
  const tail = file.read(file.size - Math.min(file.size, 65_535 + endBytes), Math.min(file.size, 65_535 + endBytes))
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (end < 0 || end + endBytes > tail.length) throw refuse('its zip directory is missing: the file is cut short')
  const record = {
    count: tail.readUInt16LE(end + 10),
    length: tail.readUInt32LE(end + 12),
    start: tail.readUInt32LE(end + 16),
  }
  const locator = end - locatorBytes
  if (locator < 0 || tail.readUInt32LE(locator) !== 0x07064b50) return record
  const at = Number(tail.readBigUInt64LE(locator + 8))
  if (at + 56 > file.size) throw refuse('its zip64 directory lies outside the file')
  const zip64 = file.read(at, 56)
  if (zip64.readUInt32LE(0) !== 0x06064b50) throw refuse('its zip64 directory is broken')
  const [count, length, start] = [32, 40, 48].map((offset) => Number(zip64.readBigUInt64LE(offset)))
  return { count, length, start }
}

/** Length of an entry and position of its local header; the zip64 record has what does not fit into 32 bits. */
function placeOf(header: Buffer, extra: Buffer, name: string, refuse: Refuse): ByteRange {
  const [stored, length, start] = [20, 24, 42].map((offset) => header.readUInt32LE(offset))
  if (length !== inZip64 && start !== inZip64 && stored !== inZip64) {
    if (stored !== length) throw refuse(`zip entry '${name}' has two lengths`)
    return { start, length }
  }
  let [at, end] = [0, 0]
  for (; at + 4 <= extra.length; at = end) {
    end = at + 4 + extra.readUInt16LE(at + 2)
    if (extra.readUInt16LE(at) === 1 && end <= extra.length) break
  }
  const values = extra.subarray(at + 4, end)
  let used = 0
  // In this order, each only if its field in the header is full.
  const [whole, , place] = [length, stored, start].map((value) => {
    if (value !== inZip64) return value
    if (used + 8 > values.length) throw refuse(`zip entry '${name}' lacks its zip64 record`)
    used += 8
    return Number(values.readBigUInt64LE(used - 8))
  })
  return { start: place, length: whole }
}

/** The bytes of an entry, after its local header. */
function rangeOf(file: BinaryFile, { start, length }: ByteRange, name: string, refuse: Refuse): ByteRange {
  const outside = refuse(`zip entry '${name}' lies outside the file`)
  if (start + localBytes > file.size) throw outside
  const local = file.read(start, localBytes)
  if (local.readUInt32LE(0) !== 0x04034b50) throw refuse(`zip entry '${name}' has no header`)
  const from = start + localBytes + local.readUInt16LE(26) + local.readUInt16LE(28)
  if (from + length > file.size) throw outside
  return { start: from, length }
}
