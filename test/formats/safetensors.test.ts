import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SafetensorsFile, writeSafetensors } from '../../src/formats/safetensors.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const path = join(folder, 'file.safetensors')

/** A file of this header, whatever it claims, and of so many bytes of data. */
function write(header: unknown, data = 16, length?: number): void {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(BigInt(length ?? text.length))
  writeFileSync(path, Buffer.concat([start, text, Buffer.alloc(data)]))
}

const refused = (message: RegExp) =>
  assert.throws(() => new SafetensorsFile(path), { id: 'safetensors-unreadable', exitCode: 2, message })

const whole = { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] }

test('when tensors were written then each is read as it was', () => {
  const [a, b] = [Float32Array.of(1, -2, 3.5), Int32Array.of(7, -7)]
  writeSafetensors(path, [
    { name: 'a', dtype: 'F32', shape: [3, 1], data: () => a },
    { name: 'empty', dtype: 'F32', shape: [0, 4], data: () => [] },
    { name: 'b', dtype: 'I32', shape: [2], data: () => [b.subarray(0, 1), b.subarray(1)] },
  ])
  const file = new SafetensorsFile(path)
  assert.deepEqual([file.floats('a'), file.floats('empty'), file.ints('b')], [a, new Float32Array(), b])
  assert.deepEqual([file.shape('a'), file.metadata['format']], [[3, 1], 'pt'])
  file.close()
})

test('when a header is longer than the file, or than any header may be, then the file is refused', () => {
  write({ whole }, 16, 1000)
  refused(/a header of 1000 bytes; expected at most the \d+ in the file/)
  write({ whole }, 16, 100_000_001)
  truncateSync(path, 200_000_000)
  refused(/a header of 100000001 bytes; expected at most 100000000/)
  write('')
  refused(/not a safetensors file/)
})

test('when a header is no JSON object then the file is refused', () => {
  for (const header of ['{"a":', '[1, 2]', 'null']) {
    write(header)
    refused(/the header is not JSON/)
  }
})

test('when a field of a tensor is missing or invalid then the error names tensor, field and value', () => {
  const { dtype, shape, data_offsets } = whole
  const cases: [unknown, RegExp][] = [
    [null, /tensor 'w': dtype is missing; expected BOOL, U8/],
    [{ shape, data_offsets }, /tensor 'w': dtype is missing/],
    [{ dtype: 'F31', shape, data_offsets }, /tensor 'w': dtype is "F31"/],
    [{ dtype: 'toString', shape, data_offsets }, /tensor 'w': dtype is "toString"/],
    [{ dtype, data_offsets }, /tensor 'w': shape is missing/],
    [{ dtype, shape: [2, -2], data_offsets }, /tensor 'w': shape is \[2,-2\]/],
    [{ dtype, shape: '4', data_offsets }, /tensor 'w': shape is "4"/],
    [{ dtype, shape }, /tensor 'w': data_offsets is missing/],
    [{ dtype, shape, data_offsets: [0] }, /tensor 'w': data_offsets is \[0\]/],
    [{ dtype, shape, data_offsets: [16, 0] }, /tensor 'w': data_offsets is \[16,0\]/],
    [{ dtype, shape, data_offsets: [0, 8] }, /tensor 'w': data_offsets is \[0,8\]; expected 16 bytes/],
  ]
  for (const [w, message] of cases) {
    write({ w })
    refused(message)
  }
})

test('when tensors overlap or end beyond the file then the file is refused', () => {
  write({ a: { ...whole, shape: [3], data_offsets: [0, 12] }, b: { ...whole, shape: [2], data_offsets: [8, 16] } })
  refused(/tensor 'b' overlaps tensor 'a'/)
  write({ a: whole }, 15)
  refused(/tensor 'a' ends at byte 16; expected at most 15, where the file ends/)
})

test('when there is no file then the error says so', () => {
  assert.throws(() => new SafetensorsFile(join(folder, 'nothing')), { id: 'file-missing' })
})

test('when tensors overlap, leave a gap, or do not fill the file then the file is refused, as by the reference', () => {
  const tensor = (from: number, to: number) => ({ dtype: 'U8', shape: [to - from], data_offsets: [from, to] })
  const cases: [unknown, number, RegExp][] = [
    [{ a: tensor(0, 8), b: tensor(4, 16) }, 16, /tensor 'b' overlaps tensor 'a'/],
    [{ a: tensor(0, 8), b: tensor(0, 8) }, 8, /tensor 'b' overlaps tensor 'a'/],
    [{ a: tensor(0, 8), b: tensor(12, 16) }, 16, /a gap of 4 bytes before tensor 'b'/],
    [{ a: tensor(4, 16) }, 16, /a gap of 4 bytes before tensor 'a'/],
    [{ a: tensor(0, 8) }, 16, /8 bytes after the last tensor/],
    [{ a: tensor(0, 8), b: tensor(8, 24) }, 16, /tensor 'b' ends at byte 24; expected at most 16/],
    [{}, 16, /16 bytes after the last tensor/],
  ]
  for (const [header, data, message] of cases) {
    write(header, data)
    refused(message)
  }
  // Tensors without numbers take no place.
  write({ b: tensor(8, 8), a: tensor(0, 8), c: tensor(8, 16) }, 16)
  new SafetensorsFile(path).close()
})

test('when a header has a name twice, text that is not UTF-8, or metadata that is no text then the file is refused', () => {
  const entry = JSON.stringify(whole)
  write(`{"a": ${entry}, "\\u0061": ${entry}}`)
  refused(/'a' is in the header twice/)
  write(`{"a": {"dtype": "F32", "dtype": "I32", "shape": [2, 2], "data_offsets": [0, 16]}}`)
  refused(/'dtype' is in the header twice/)
  write(` {"a": ${entry}}`)
  refused(/the header is not JSON/)
  write({ __metadata__: { format: 3 }, a: whole })
  refused(/__metadata__ has a value that is not text/)
  write({ __metadata__: 'pt', a: whole })
  refused(/__metadata__ has a value that is not text/)
  // A key may be the value of another, or be in another tensor.
  write({ __metadata__: { a: 'a', shape: '{"a": "a"' }, a: whole })
  new SafetensorsFile(path).close()
})
