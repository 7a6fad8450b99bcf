import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/base/errors.js'
import { NpyFile } from '../../src/formats/npy.js'
import { SafetensorsFile, writeSafetensors } from '../../src/formats/safetensors.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const path = join(folder, 'file')

const bytesOf = { U8: 1, I8: 1, F16: 2, BF16: 2, I32: 4, F32: 4, I64: 8, F64: 8 } as const
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

const tensor = fc
  .record({
    name: fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== '__metadata__' && name !== '__proto__'),
    dtype: fc.constantFrom(...(Object.keys(bytesOf) as (keyof typeof bytesOf)[])),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
  })
  .chain((head) => {
    const length = product(head.shape) * bytesOf[head.dtype]
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ ...head, bytes }))
  })
const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 })
type Tensors = typeof tensors extends fc.Arbitrary<infer T> ? T : never

const write = (all: Tensors, metadata = {}) =>
  writeSafetensors(
    path,
    all.map(({ bytes, ...head }) => ({ ...head, data: () => bytes })),
    metadata,
  )

test('when tensors are written as safetensors then they are read back as they were', () => {
  const metadata = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ maxLength: 8 }), { maxKeys: 3 })
  fc.assert(
    fc.property(tensors, metadata, (all, more) => {
      write(all, more)
      using file = new SafetensorsFile(path)
      assert.deepEqual([...file.entries.keys()].sort(), all.map(({ name }) => name).sort())
      assert.deepEqual({ ...file.metadata }, { format: 'pt', ...more })
      for (const { name, dtype, shape, bytes } of all) {
        assert.deepEqual([file.dtype(name), file.shape(name)], [dtype, shape])
        assert.deepEqual(new Uint8Array(file.raw(name)), bytes)
      }
    }),
    { numRuns: 200 },
  )
})

test('when bytes of a safetensors file are changed, cut or added then it opens or is refused with an id', () => {
  const change = fc.record({ at: fc.nat(400), byte: fc.nat(255) })
  fc.assert(
    fc.property(
      tensors,
      fc.array(change, { maxLength: 4 }),
      fc.integer({ min: -200, max: 8 }),
      (all, changes, more) => {
        write(all)
        const bytes = readFileSync(path)
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
        writeFileSync(
          path,
          more < 0 ? bytes.subarray(0, Math.max(0, bytes.length + more)) : Buffer.concat([bytes, Buffer.alloc(more)]),
        )
        try {
          using file = new SafetensorsFile(path)
          for (const [name, { shape, dtype }] of file.entries) {
            const size = dtype in bytesOf ? bytesOf[dtype as keyof typeof bytesOf] : undefined
            if (size) assert.equal(file.raw(name).length, product(shape) * size)
          }
        } catch (error) {
          assert.ok(error instanceof UserError && error.id === 'safetensors-unreadable', String(error))
        }
      },
    ),
    { numRuns: 500 },
  )
})

const types = { '<f4': 4, '|i1': 1, '|u1': 1, '<i8': 8, '<u8': 8 } as const
const array = fc
  .record({
    type: fc.constantFrom(...(Object.keys(types) as (keyof typeof types)[])),
    rows: fc.nat(9),
    width: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  })
  .chain((head) => {
    const length = head.rows * (head.width ?? 1) * types[head.type]
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ ...head, bytes }))
  })

test('when rows are written to a .npy file in any order then they are read back as they were', () => {
  fc.assert(
    fc.property(array, fc.nat(9), ({ type, rows, width, bytes }, split) => {
      const written = NpyFile.create(path, type, rows, width)
      const from = Math.min(split, rows)
      written.write(from, bytes.subarray(from * written.rowBytes))
      written.write(0, bytes.subarray(0, from * written.rowBytes))
      written.close()
      using read = NpyFile.open(path)
      assert.deepEqual([read.type, read.rows, read.width], [type, rows, width])
      assert.deepEqual(new Uint8Array(read.read(0, rows)), bytes)
      assert.deepEqual(new Uint8Array(Buffer.concat([...read.pieces()])), bytes)
    }),
    { numRuns: 200 },
  )
})

test('when bytes of a .npy file are changed or cut then it opens or is refused with an id', () => {
  const change = fc.record({ at: fc.nat(130), byte: fc.nat(255) })
  fc.assert(
    fc.property(array, fc.array(change, { maxLength: 3 }), fc.nat(140), ({ type, rows, width }, changes, cut) => {
      NpyFile.create(path, type, rows, width).close()
      const bytes = readFileSync(path)
      for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
      writeFileSync(path, bytes.subarray(0, bytes.length - cut))
      try {
        using read = NpyFile.open(path)
        assert.equal(read.read(0, read.rows).length, read.rows * read.rowBytes)
      } catch (error) {
        assert.ok(error instanceof UserError && error.id === 'store-broken', String(error))
      }
    }),
    { numRuns: 300 },
  )
})
