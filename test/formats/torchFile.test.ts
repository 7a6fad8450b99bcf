import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { TorchFile } from '../../src/formats/torchFile.js'
import { assertRefused } from '../errors/refused.js'
import { root } from '../fixtures.js'
import { temporaryFolder } from '../sample/folders.js'
import { pickled, type ZipOptions, zipOf } from './zips.js'

const folder = await temporaryFolder()
const path = join(folder, 'pytorch_model.bin')
const fixture = (name: string) => join(root, 'test/fixtures/checkpoints', name)

describe('Files that torch.save wrote', () => {
  for (const name of ['weights.bin', 'weights-old.bin']) {
    test(`when tensors are of any type, view or order then ${name} gives their numbers`, () => {
      const expected = JSON.parse(readFileSync(fixture(name.replace(/(-old)?\.bin$/, '.json')), 'utf8'))
      using file = new TorchFile(fixture(name))
      assert.deepEqual([...file.names].sort(), Object.keys(expected).sort())
      for (const tensor of file.names) {
        const [shape, numbers] = expected[tensor] as [number[], number[]]
        assert.deepEqual([file.shape(tensor), numbersOf(file, tensor)], [shape, numbers.map(Math.fround)], tensor)
      }
      assert.deepEqual([file.dtype('half'), file.dtype('bfloat'), file.dtype('double')], ['F16', 'BF16', 'F64'])
    })
  }
})

function numbersOf(file: TorchFile, name: string): number[] {
  const raw = file.raw(name)
  if (file.dtype(name) === 'I64') return [...new BigInt64Array(raw.buffer as ArrayBuffer)].map(Number)
  return file.dtype(name) === 'BOOL' ? [...raw] : [...file.floats(name)]
}

/** Writes a file of this pickle, with a storage of 16 bytes, and opens it. */
const open = (pickle: Buffer, options?: ZipOptions) => () => {
  const entries = { 'model/data.pkl': pickle, 'model/data/0': Buffer.alloc(16), ...options?.entries }
  writeFileSync(path, zipOf(entries, options))
  new TorchFile(path).close()
}

const refused = (work: () => void, message: RegExp) => assertRefused(work, 'torch-unreadable', message)

const { dictionary, global, text, tensor, tuple, call, stop } = pickled

describe('Pickles that do more than build tensors', () => {
  const marker = join(folder, 'ran')
  const command = tuple(text(`touch ${marker}`))
  const cases: [string, Buffer, RegExp][] = [
    ['call os.system', call(global('os', 'system'), command), /names 'os\.system', which is not run; expected a dict/],
    [
      'call posix.system by STACK_GLOBAL',
      call(Buffer.concat([text('posix'), text('system'), Buffer.from([0x93])]), command),
      /'posix\.system'/,
    ],
    ['call builtins.eval', call(global('builtins', 'eval'), command), /'builtins\.eval'/],
    ['call __builtin__.getattr', call(global('__builtin__', 'getattr'), command), /'__builtin__\.getattr'/],
    ['load a file by torch', call(global('torch', 'load'), command), /'torch\.load'/],
    ['name a storage class of numpy', global('numpy', 'FloatStorage'), /'numpy\.FloatStorage'/],
    [
      'make an object by NEWOBJ',
      Buffer.concat([global('collections', 'OrderedDict'), tuple(), Buffer.from([0x81])]),
      /NEWOBJ/,
    ],
    ['make an object by INST', Buffer.from('(ios\nsystem\n'), /INST/],
    [
      'make an object by OBJ',
      Buffer.concat([Buffer.from('('), global('collections', 'OrderedDict'), Buffer.from('o')]),
      /OBJ/,
    ],
    ['call an extension', Buffer.from([0x82, 1]), /EXT1/],
    ['set attributes of a tensor', Buffer.concat([tensor(), Buffer.from('}b')]), /sets attributes of an object/],
    ['call text', call(text('os.system'), command), /calls what is not a function/],
    ['call a storage class', call(global('torch', 'FloatStorage'), command), /calls what is not a function/],
    ['name a module of a million letters', global('x'.repeat(1e6), 'y'), /names 'x{80}…'/],
  ]
  for (const [what, pickle, message] of cases) {
    test(`when a pickle would ${what} then it is refused and nothing runs`, async () => {
      await refused(open(dictionary('weight', pickle)), message)
      await refused(open(Buffer.concat([pickle, stop])), message)
      assert.equal(existsSync(marker), false)
    })
  }
})

describe('Pickles that are broken', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['ends early', Buffer.from([0x80, 2, 0x7d]), /cut short/],
    ['claims a text of 4 GB', Buffer.from([0x58, 0xff, 0xff, 0xff, 0xff]), /cut short/],
    ['claims a text of 2⁶⁴ bytes', Buffer.concat([Buffer.from([0x8d]), Buffer.alloc(8, 0xff)]), /cut short/],
    ['has a whole number of 2 GB', Buffer.from([0x8b, 0xff, 0xff, 0xff, 0x7f]), /a whole number of 2147483647 bytes/],
    [
      'refers to a value that is not there',
      Buffer.from([0x6a, 0xff, 0xff, 0xff, 0xff, 0x2e]),
      /refers to value 4294967295/,
    ],
    ['takes from an empty stack', Buffer.from('0.'), /takes a value that is not there/],
    ['takes a mark', Buffer.from('(.'), /takes a value that is not there/],
    ['ends a list without a start', Buffer.from('t.'), /ends a list that has no start/],
    ['appends to a dictionary', Buffer.from('}Na.'), /appends to what is not a list/],
    ['sets an item of a list', Buffer.from(']NNs.'), /sets items of what is not a dictionary/],
    ['has an unknown instruction', Buffer.from([0xff]), /instruction 0xff/],
    ['is a list', Buffer.from('].'), /not a dictionary of tensors/],
    ['is empty', dictionary(), /not a dictionary of tensors/],
    [
      'is a training state',
      dictionary('epoch', Buffer.from([0x4b, 3])),
      /'epoch' is not a tensor; expected a dictionary of tensors/,
    ],
    [
      'has a storage of another length',
      dictionary('w', tensor({ elements: 5 })),
      /tensor 'w': its storage has 16 bytes; expected 20/,
    ],
    ['has a storage that is not there', dictionary('w', tensor({ key: '1' })), /tensor 'w': its storage has no bytes/],
    [
      'has a tensor longer than its storage',
      dictionary('w', tensor({ shape: [5] })),
      /'w' of \[5\] lies outside its storage of 4/,
    ],
    ['has a tensor that starts behind its storage', dictionary('w', tensor({ offset: 4 })), /lies outside its storage/],
    [
      'repeats a number a billion times',
      dictionary('w', tensor({ shape: [1e9], strides: [0] })),
      /lies outside its storage/,
    ],
    ['has strides of another rank', dictionary('w', tensor({ strides: [1, 1] })), /a broken tensor/],
    ['has a negative offset', dictionary('w', tensor({ offset: -1 })), /a broken tensor/],
    [
      'has a storage that is complex',
      dictionary('w', tensor({ type: 'ComplexFloatStorage' })),
      /'torch\.ComplexFloatStorage'/,
    ],
  ]
  for (const [what, pickle, message] of cases) {
    test(`when a pickle ${what} then it is refused`, () => refused(open(pickle), message))
  }

  test('when a pickle nests 300,000 lists or repeats one in itself then it is refused without a hang', async () => {
    const deep = Buffer.concat([Buffer.alloc(3e5, 0x5d), Buffer.alloc(3e5 - 1, 0x61), stop])
    await refused(open(deep), /not a dictionary/)
    const doubling = Buffer.concat([
      Buffer.from(']q\0'),
      ...Array.from({ length: 1e5 }, () => Buffer.from('h\0a')),
      stop,
    ])
    await refused(open(doubling), /not a dictionary/)
    await refused(open(Buffer.alloc(2 ** 23 + 1, 0x4e)), /its pickle has 8388609 bytes; expected at most 8388608/)
  })
})

describe('Zips of tensors', () => {
  const whole = dictionary('w', tensor())

  test('when a file is whole then its tensor is read, also by zip64', () => {
    for (const zip64 of [false, true]) {
      open(whole, { zip64 })()
      using file = new TorchFile(path)
      assert.deepEqual([file.names, file.shape('w'), [...file.floats('w')]], [['w'], [4], [0, 0, 0, 0]])
    }
  })

  test('when an entry is compressed, encrypted or outside the file then it is refused by name', async () => {
    await refused(
      open(whole, { method: 8 }),
      /zip entry 'model\/data\.pkl' is compressed \(method 8\); expected stored/,
    )
    await refused(open(whole, { flags: 1 }), /zip entry 'model\/data\.pkl' is encrypted/)
    await refused(open(whole, { shift: 1e6 }), /zip entry 'model\/data\.pkl' lies outside the file/)
    await refused(open(whole, { shift: 1 }), /zip entry 'model\/data\.pkl' has no header/)
  })

  test('when numbers are big endian then the file is refused', () =>
    refused(
      open(whole, { entries: { 'model/byteorder': Buffer.from('big') } }),
      /its byte order is 'big'; expected little/,
    ))

  test('when a file is cut anywhere then it is refused', async () => {
    for (const name of ['weights.bin', 'weights-old.bin']) {
      const bytes = readFileSync(fixture(name))
      for (let length = 0; length < bytes.length; length += 97) {
        writeFileSync(path, bytes.subarray(0, length))
        await refused(() => new TorchFile(path), /pytorch_model\.bin: /)
      }
    }
  })

  test('when bytes are changed at random then the file is read or refused, and nothing else', () => {
    const bytes = readFileSync(fixture('weights.bin'))
    for (let i = 0; i < bytes.length; i += 13) {
      const changed = Buffer.from(bytes)
      changed[i] ^= 1 << (i % 8)
      writeFileSync(path, changed)
      try {
        using file = new TorchFile(path)
        for (const name of file.names) file.raw(name)
      } catch (error) {
        assert.equal((error as { id?: string }).id, 'torch-unreadable', `byte ${i}: ${error}`)
      }
    }
  })

  test('when a file is of another format then its first bytes are named', async () => {
    writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\n')
    await refused(
      () => new TorchFile(path),
      /it starts with the bytes 76657273; expected a file that torch\.save wrote/,
    )
    writeFileSync(path, zipOf({ 'archive/other': Buffer.alloc(1) }))
    await refused(() => new TorchFile(path), /its zip has no entry data\.pkl/)
  })
})
