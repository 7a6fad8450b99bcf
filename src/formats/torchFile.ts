/**
 * The files that `torch.save` writes of a dictionary of tensors, e.g. pytorch_model.bin: a zip of a pickle and of one
 * entry per storage, or, before PyTorch 1.6, pickles followed by the storages (torch/serialization.py). Reading builds
 * tensors and runs nothing: every name in the pickle other than those below is refused.
 */
import { UserError } from '../base/errors.js'
import { BinaryFile } from './binaryFile.js'
import { readPickle } from './pickle.js'
import { gathered, isContiguous, spanOf } from './strides.js'
import { bytesOf, elementsOf, floatsOf, type StoredType, type TensorFile } from './tensorFile.js'
import { type ByteRange, type Refuse, storedEntries } from './zip.js'

/** Classes of storages by their name in the module torch. */
const storageTypes = new Map<string, StoredType>([
  ['DoubleStorage', 'F64'],
  ['FloatStorage', 'F32'],
  ['HalfStorage', 'F16'],
  ['BFloat16Storage', 'BF16'],
  ['LongStorage', 'I64'],
  ['IntStorage', 'I32'],
  ['ShortStorage', 'I16'],
  ['CharStorage', 'I8'],
  ['ByteStorage', 'U8'],
  ['BoolStorage', 'BOOL'],
])

/** Most bytes of a pickle; a model with 10,000 tensors has one of about 2 million. */
const maxPickleBytes = 2 ** 23
/** Most dimensions of a tensor. */
const maxDimensions = 64
/** First pickle of a file of PyTorch before 1.6. */
const oldMagic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex')

class StorageType {
  constructor(readonly dtype: StoredType) {}
}

/** Numbers that tensors are views of. */
class Storage {
  constructor(
    readonly key: string,
    readonly dtype: StoredType,
    readonly elements: number,
  ) {}
}

class TorchTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** An open file. Close it when done. */
export class TorchFile implements TensorFile {
  readonly names: readonly string[]
  private readonly tensors: ReadonlyMap<string, TorchTensor>
  private readonly storages: ReadonlyMap<string, ByteRange>
  private readonly file: BinaryFile

  /** @throws UserError `file-missing`; `torch-unreadable` where the file is broken or has more than tensors. */
  constructor(readonly path: string) {
    this.file = new BinaryFile(path)
    try {
      const refuse = refusal(path)
      const { value, storages } =
        this.file.size >= 4 ? contentOf(this.file, refuse) : { value: null, storages: new Map() }
      this.storages = storages
      this.tensors = tensorsOf(value, refuse)
      for (const [name, tensor] of this.tensors) checkStorage(name, tensor, storages, refuse)
      this.names = [...this.tensors.keys()]
    } catch (error) {
      this.close()
      throw error
    }
  }

  shape(name: string): readonly number[] {
    return this.tensor(name).shape
  }

  dtype(name: string): StoredType {
    return this.tensor(name).storage.dtype
  }

  raw(name: string): Buffer {
    const { storage, offset, shape, strides } = this.tensor(name)
    const size = bytesOf[storage.dtype]
    const from = this.storages.get(storage.key)!.start + offset * size
    const spread = spanOf(shape, strides)
    const bytes = this.file.read(from, spread * size)
    return isContiguous(shape, strides) ? bytes : gathered(bytes, storage.dtype, shape, strides)
  }

  floats(name: string): Float32Array {
    return floatsOf(this, name)
  }

  close(): void {
    this.file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  private tensor(name: string): TorchTensor {
    const tensor = this.tensors.get(name)
    if (!tensor) throw new Error(`${this.path} has no tensor '${name}'`)
    return tensor
  }
}

const refusal =
  (path: string): Refuse =>
  (what, expected) =>
    new UserError({
      id: 'torch-unreadable',
      where: path,
      what,
      expected,
      remedy:
        'fetch the file again; if you trust it, load the model with transformers and call save_pretrained, which writes ' +
        'safetensors',
    })

interface Content {
  value: unknown
  /** The bytes of each storage by its key. */
  storages: ReadonlyMap<string, ByteRange>
}

function contentOf(file: BinaryFile, refuse: Refuse): Content {
  const start = file.read(0, Math.min(file.size, oldMagic.length))
  if (start.readUInt32LE(0) === 0x04034b50) return zipContent(file, refuse)
  if (start.equals(oldMagic)) return oldContent(file, refuse)
  throw refuse(`it starts with the bytes ${start.subarray(0, 4).toString('hex')}`, 'a file that torch.save wrote')
}

/** A zip with the entries `<folder>/data.pkl`, `<folder>/data/<key>` and, since PyTorch 2.1, `<folder>/byteorder`. */
function zipContent(file: BinaryFile, refuse: Refuse): Content {
  const entries = storedEntries(file, refuse)
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (!pickle) throw refuse('its zip has no entry data.pkl', 'a file that torch.save wrote')
  const folder = pickle.slice(0, -'data.pkl'.length)
  const { start, length } = entries.get(pickle)!
  if (length > maxPickleBytes) throw refuse(`its pickle has ${length} bytes`, `at most ${maxPickleBytes}`)
  const order = entries.get(`${folder}byteorder`)
  if (order && order.length <= 16) {
    const name = file.read(order.start, order.length).toString('utf8').trim()
    if (name !== 'little') throw refuse(`its byte order is '${name}'`, 'little')
  }
  const { value } = readPickle(file.read(start, length), meaning(new Map(), refuse))
  const storages = [...entries].filter(([name]) => name.startsWith(`${folder}data/`))
  return { value, storages: new Map(storages.map(([name, range]) => [name.slice(folder.length + 5), range])) }
}

/** Pickles of a magic number, a version, facts on the system, the object and the keys of storages; then the storages. */
function oldContent(file: BinaryFile, refuse: Refuse): Content {
  const bytes = file.read(0, Math.min(file.size, maxPickleBytes))
  const known = new Map<string, Storage>()
  const next = (from: number) => readPickle(bytes, meaning(known, refuse), from)
  const version = next(oldMagic.length)
  const system = next(version.end)
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true) {
    throw refuse('its byte order is not known', 'little endian')
  }
  const object = next(system.end)
  const keys = next(object.end)
  if (!Array.isArray(keys.value)) throw refuse('its list of storages is broken')
  const storages = new Map<string, ByteRange>()
  let at = keys.end
  for (const key of keys.value) {
    const storage = known.get(key)
    // Each storage follows its number of elements.
    const elements = at + 8 <= file.size ? Number(file.read(at, 8).readBigInt64LE()) : -1
    if (!storage || elements !== storage.elements) throw refuse('its storages are not those that its pickle names')
    const range = { start: at + 8, length: elements * bytesOf[storage.dtype] }
    storages.set(storage.key, range)
    at = range.start + range.length
    if (at > file.size) throw refuse('it is cut short')
  }
  return { value: object.value, storages }
}

/** What the pickle of a dictionary of tensors may contain; storages are added to `known`. */
function meaning(known: Map<string, Storage>, refuse: Refuse) {
  const classes = new Map<string, unknown>([
    ['collections.OrderedDict', (args: readonly unknown[]) => newDictionary(args, refuse)],
    ['torch._utils._rebuild_tensor_v2', (args: readonly unknown[]) => tensorOf(args, refuse)],
    ['torch._utils._rebuild_parameter', ([data]: readonly unknown[]) => data],
    ...[...storageTypes].map(([name, dtype]): [string, unknown] => [`torch.${name}`, new StorageType(dtype)]),
  ])
  return {
    refuse,
    global(module: string, name: string): unknown {
      const found = classes.get(`${module}.${name}`)
      if (found !== undefined) return found
      const what = `its pickle names ${shown(`${module}.${name}`)}, which is not run`
      throw refuse(what, 'a dictionary of tensors (a state_dict)')
    },
    call(callable: unknown, args: readonly unknown[]): unknown {
      if (typeof callable !== 'function') throw refuse('its pickle calls what is not a function')
      return callable(args)
    },
    persistent(id: unknown): unknown {
      const storage = storageOf(id, refuse)
      const same = known.get(storage.key)
      if (same && (same.dtype !== storage.dtype || same.elements !== storage.elements)) {
        throw refuse(`its storage ${shown(storage.key)} has two types or lengths`)
      }
      known.set(storage.key, same ?? storage)
      return same ?? storage
    },
  }
}

function newDictionary(args: readonly unknown[], refuse: Refuse): Map<unknown, unknown> {
  if (args.length > 0) throw refuse('its pickle has a dictionary of Python 2')
  return new Map()
}

/** ('storage', class, key, device, elements), in old files followed by the part of another storage that it is. */
function storageOf(id: unknown, refuse: Refuse): Storage {
  const [kind, type, key, , elements, view = null] = Array.isArray(id) ? id : []
  const isStorage = kind === 'storage' && type instanceof StorageType && typeof key === 'string' && isSize(elements)
  if (!isStorage) throw refuse('its pickle refers to what is not a storage')
  if (view !== null) throw refuse(`its storage ${shown(key)} is a part of another one`)
  return new Storage(key, type.dtype, elements)
}

/** The tensor of the arguments (storage, offset, shape, strides, requires_grad, hooks[, bits]). */
function tensorOf([storage, offset, shape, strides, , , bits]: readonly unknown[], refuse: Refuse): TorchTensor {
  const sizes = [shape, strides].map((value) => (Array.isArray(value) && value.every(isSize) ? value : undefined))
  const [dimensions, steps] = sizes as [number[]?, number[]?]
  const isTensor = storage instanceof Storage && isSize(offset) && dimensions?.length === steps?.length
  if (!isTensor || !dimensions || !steps || dimensions.length > maxDimensions)
    throw refuse('its pickle has a broken tensor')
  if (bits instanceof Map && bits.size > 0) throw refuse('its pickle has a tensor with a negative or conjugate bit')
  return new TorchTensor(storage, offset, dimensions, steps)
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function tensorsOf(value: unknown, refuse: Refuse): Map<string, TorchTensor> {
  const expected = 'a dictionary of tensors (a state_dict)'
  if (!(value instanceof Map) || value.size === 0) throw refuse('it is not a dictionary of tensors', expected)
  for (const [name, tensor] of value) {
    if (typeof name !== 'string') throw refuse('it has a tensor without a name', expected)
    if (!(tensor instanceof TorchTensor)) throw refuse(`${shown(name)} is not a tensor`, expected)
  }
  return value as Map<string, TorchTensor>
}

/** Checks that a tensor lies within its storage and its storage within the file. */
function checkStorage(
  name: string,
  { storage, offset, shape, strides }: TorchTensor,
  storages: Content['storages'],
  refuse: Refuse,
): void {
  const range = storages.get(storage.key)
  const bytes = storage.elements * bytesOf[storage.dtype]
  if (range?.length !== bytes) {
    throw refuse(`tensor ${shown(name)}: its storage has ${range?.length ?? 'no'} bytes`, `${bytes}`)
  }
  const last = offset + spanOf(shape, strides)
  // A tensor with more elements than its storage repeats them; only a broken file has one as a weight.
  if (!(last <= storage.elements && elementsOf(shape) <= storage.elements)) {
    throw refuse(
      `tensor ${shown(name)} of [${shape.join(', ')}] lies outside its storage of ${storage.elements} numbers`,
    )
  }
}

/** Text of a file, short enough for a message. */
const shown = (text: string) => `'${text.length > 80 ? `${text.slice(0, 80)}…` : text}'`
