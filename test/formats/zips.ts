/** Zips and pickles made by hand, right and wrong. */

export interface ZipOptions {
  entries?: Record<string, Buffer>
  /** Of each entry: method of compression, and flags. */
  method?: number
  flags?: number
  /** Added to the place of each entry. */
  shift?: number
  zip64?: boolean
}

/** A zip of entries by name, without checksums. */
export function zipOf(entries: Record<string, Buffer>, options: ZipOptions = {}): Buffer {
  const { method = 0, flags = 0, shift = 0, zip64 = false } = options
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, data] of Object.entries(entries)) {
    const title = Buffer.from(name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    local.writeUInt16LE(title.length, 26)
    const header = Buffer.alloc(46)
    header.writeUInt32LE(0x02014b50)
    header.writeUInt16LE(flags, 8)
    header.writeUInt16LE(method, 10)
    header.writeUInt16LE(title.length, 28)
    const extra = Buffer.alloc(zip64 ? 28 : 0)
    if (zip64) {
      extra.writeUInt16LE(1)
      extra.writeUInt16LE(24, 2)
      for (const [i, value] of [data.length, data.length, at + shift].entries())
        extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
    }
    header.writeUInt16LE(extra.length, 30)
    for (const [offset, value] of [
      [20, data.length],
      [24, data.length],
      [42, at + shift],
    ]) {
      header.writeUInt32LE(zip64 ? 0xffffffff : value, offset)
    }
    locals.push(local, title, data)
    directory.push(header, title, extra)
    at += local.length + title.length + data.length
  }
  const index = Buffer.concat(directory)
  return Buffer.concat([...locals, index, ...endOf(Object.keys(entries).length, index.length, at, zip64)])
}

/** The records at the end of a zip. */
function endOf(count: number, length: number, start: number, zip64: boolean): Buffer[] {
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(zip64 ? 0xffff : count, 10)
  end.writeUInt32LE(zip64 ? 0xffffffff : length, 12)
  end.writeUInt32LE(zip64 ? 0xffffffff : start, 16)
  if (!zip64) return [end]
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50)
  for (const [offset, value] of [
    [32, count],
    [40, length],
    [48, start],
  ])
    record.writeBigUInt64LE(BigInt(value), offset)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(BigInt(start + length), 8)
  return [record, locator, end]
}

const bytes = (...values: number[]) => Buffer.from(values)
const stop = bytes(0x2e)
const tuple = (...values: Buffer[]) => Buffer.concat([Buffer.from('('), ...values, Buffer.from('t')])
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`)
const call = (callable: Buffer, args: Buffer) => Buffer.concat([callable, args, Buffer.from('R')])

function text(value: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(Buffer.byteLength(value))
  return Buffer.concat([bytes(0x58), length, Buffer.from(value)])
}

function integer(value: number): Buffer {
  const number = Buffer.alloc(4)
  number.writeInt32LE(value)
  return Buffer.concat([bytes(0x4a), number])
}

/** A pickle of a dictionary with one item or none. */
function dictionary(key?: string, value: Buffer = Buffer.alloc(0)): Buffer {
  const item = key === undefined ? Buffer.alloc(0) : Buffer.concat([text(key), value, Buffer.from('s')])
  return Buffer.concat([bytes(0x80, 2, 0x7d), item, stop])
}

interface TensorOptions {
  type?: string
  key?: string
  elements?: number
  offset?: number
  shape?: number[]
  strides?: number[]
}

/** A tensor, by default of four numbers in the storage 0. */
function tensor({
  type = 'FloatStorage',
  key = '0',
  elements = 4,
  offset = 0,
  shape = [4],
  strides = [1],
}: TensorOptions = {}) {
  const id = tuple(text('storage'), global('torch', type), text(key), text('cpu'), integer(elements))
  const storage = Buffer.concat([id, Buffer.from('Q')])
  const [sizes, steps] = [shape, strides].map((list) => tuple(...list.map(integer)))
  const hooks = call(global('collections', 'OrderedDict'), tuple())
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    tuple(storage, integer(offset), sizes, steps, bytes(0x89), hooks),
  )
}

/** A file as `torch.save` writes it, of tensors of 32-bit floats or 64-bit whole numbers. */
export function torchFileOf(
  tensors: ReadonlyMap<string, { dtype: string; shape: readonly number[]; bytes: Buffer }>,
): Buffer {
  const entries: Record<string, Buffer> = {}
  const items = [...tensors].map(([name, { dtype, shape, bytes: data }], key) => {
    entries[`model/data/${key}`] = data
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
    const [type, size] = dtype === 'I64' ? ['LongStorage', 8] : ['FloatStorage', 4]
    const value = tensor({ type, key: `${key}`, elements: data.length / size, shape: [...shape], strides })
    return Buffer.concat([text(name), value, Buffer.from('s')])
  })
  const pickle = Buffer.concat([bytes(0x80, 2, 0x7d), ...items, stop])
  return zipOf({ 'model/data.pkl': pickle, 'model/byteorder': Buffer.from('little'), ...entries })
}

/** Instructions of pickles. */
export const pickled = { stop, tuple, global, call, text, dictionary, tensor }
