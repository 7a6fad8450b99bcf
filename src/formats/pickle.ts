/**
 * A reader of Python pickles that runs nothing: it makes numbers, strings, tuples, lists and dictionaries, and asks its
 * caller about everything else (https://github.com/python/cpython/blob/main/Lib/pickletools.py). Instructions that
 * make or change other objects are refused, except calls of what the caller allows.
 */
import type { Refuse } from './zip.js'

/** The meaning of what is not plain data. */
export interface PickleMeaning {
  /** The value of a name in a Python module; throws if it is not allowed. */
  global(module: string, name: string): unknown
  /** The result of calling a value of `global`; throws if it cannot be called. */
  call(callable: unknown, args: readonly unknown[]): unknown
  /** The object of a persistent id. */
  persistent(id: unknown): unknown
  refuse: Refuse
}

/** Start of the values of an unfinished list, tuple or dictionary. */
const mark = Symbol('mark')

/** Longest whole number in bytes. */
const longestInteger = 8

/**
 * Reads the pickle that starts at byte `from`: dictionaries as Map, lists and tuples as arrays.
 * @throws the errors of `meaning`.
 */
export function readPickle(bytes: Buffer, meaning: PickleMeaning, from = 0): { value: unknown; end: number } {
  const reader = new PickleReader(bytes, meaning, from)
  return { value: reader.read(), end: reader.at }
}

class PickleReader {
  private readonly stack: unknown[] = []
  private readonly memo = new Map<number, unknown>()
  private readonly bytes: Buffer
  private readonly meaning: PickleMeaning
  at: number

  constructor(bytes: Buffer, meaning: PickleMeaning, from: number) {
    this.bytes = bytes
    this.meaning = meaning
    this.at = from
  }

  read(): unknown {
    for (;;) {
      const code = this.byte()
      if (code === 0x2e) return this.pop() // STOP
      const instruction = instructions.get(code)
      if (!instruction) throw this.meaning.refuse(`its pickle has the instruction ${nameOf(code)}`, 'plain data')
      instruction(this)
    }
  }

  /** The next `length` bytes of the pickle. */
  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw this.meaning.refuse('its pickle is cut short')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw this.meaning.refuse('its pickle is cut short')
    return this.bytes[this.at++]
  }

  word = () => this.take(4).readUInt32LE()
  /** Bytes of a string with a length in 8 bytes. */
  long = () => Number(this.take(8).readBigUInt64LE())
  text = (length: number) => this.take(length).toString('utf8')

  /** Text up to the end of the line. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at)
    if (end < 0) throw this.meaning.refuse('its pickle is cut short')
    const text = this.text(end - this.at)
    this.at++
    return text
  }

  /** A signed whole number of `length` bytes. */
  integer(length: number): number {
    if (length > longestInteger)
      throw this.meaning.refuse(`its pickle has a whole number of ${length} bytes`, 'at most 8')
    const bytes = this.take(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i])
    return Number(BigInt.asIntN(8 * length, value))
  }

  push(value: unknown): void {
    this.stack.push(value)
  }

  pop(): unknown {
    if (this.stack.length === 0) throw this.meaning.refuse('its pickle takes a value that is not there')
    const value = this.stack.pop()
    if (value === mark) throw this.meaning.refuse('its pickle takes a value that is not there')
    return value
  }

  pops(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  pushMark(): void {
    this.stack.push(mark)
  }

  /** Removes the values since the last mark, and the mark. */
  popMarked(): unknown[] {
    const start = this.stack.lastIndexOf(mark)
    if (start < 0) throw this.meaning.refuse('its pickle ends a list that has no start')
    return this.stack.splice(start).slice(1)
  }

  get top(): unknown {
    const value = this.pop()
    this.push(value)
    return value
  }

  remember(place: number): void {
    this.memo.set(place, this.top)
  }

  rememberNext(): void {
    this.remember(this.memo.size)
  }

  recall(place: number): void {
    if (!this.memo.has(place)) throw this.meaning.refuse(`its pickle refers to value ${place}, which is not there`)
    this.push(this.memo.get(place))
  }

  append(values: readonly unknown[]): void {
    const list = this.top
    if (!Array.isArray(list)) throw this.meaning.refuse('its pickle appends to what is not a list')
    for (const value of values) list.push(value)
  }

  set(pairs: readonly unknown[]): void {
    const map = this.top
    if (!(map instanceof Map) || pairs.length % 2)
      throw this.meaning.refuse('its pickle sets items of what is not a dictionary')
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1])
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.meaning.refuse('its pickle has a name that is not text')
    this.push(this.meaning.global(module, name))
  }

  call(): void {
    const [callable, args] = this.pops(2)
    if (!Array.isArray(args)) throw this.meaning.refuse('its pickle calls with what is not a tuple')
    this.push(this.meaning.call(callable, args))
  }

  persistent(): void {
    this.push(this.meaning.persistent(this.pop()))
  }

  /** Attributes of a dictionary, e.g. the versions of modules in a state_dict, have no meaning for its items. */
  build(): void {
    this.pop()
    if (!(this.top instanceof Map)) throw this.meaning.refuse('its pickle sets attributes of an object', 'plain data')
  }
}

const nameOf = (code: number) => {
  const name = refused.get(code)
  return name ?? `0x${code.toString(16).padStart(2, '0')}`
}

/** Names of the instructions that occur in other pickles. */
const refused = new Map([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x81, 'NEWOBJ'],
  [0x92, 'NEWOBJ_EX'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x50, 'PERSID'],
  [0x97, 'NEXT_BUFFER'],
])

/** By their code; the comments are the names in `pickletools`. */
const instructions = new Map<number, (reader: PickleReader) => void>([
  [0x80, (r) => r.byte()], // PROTO
  [0x95, (r) => r.take(8)], // FRAME
  [0x28, (r) => r.pushMark()], // MARK
  [0x30, (r) => r.pop()], // POP
  [0x31, (r) => r.popMarked()], // POP_MARK
  [0x32, (r) => r.push(r.top)], // DUP
  [0x4e, (r) => r.push(null)], // NONE
  [0x88, (r) => r.push(true)], // NEWTRUE
  [0x89, (r) => r.push(false)], // NEWFALSE
  [0x4a, (r) => r.push(r.integer(4))], // BININT
  [0x4b, (r) => r.push(r.byte())], // BININT1
  [0x4d, (r) => r.push(r.take(2).readUInt16LE())], // BININT2
  [0x8a, (r) => r.push(r.integer(r.byte()))], // LONG1
  [0x8b, (r) => r.push(r.integer(r.word()))], // LONG4
  [0x47, (r) => r.push(r.take(8).readDoubleBE())], // BINFLOAT
  [0x58, (r) => r.push(r.text(r.word()))], // BINUNICODE
  [0x8c, (r) => r.push(r.text(r.byte()))], // SHORT_BINUNICODE
  [0x8d, (r) => r.push(r.text(r.long()))], // BINUNICODE8
  [0x54, (r) => r.push(r.text(r.word()))], // BINSTRING
  [0x55, (r) => r.push(r.text(r.byte()))], // SHORT_BINSTRING
  [0x29, (r) => r.push([])], // EMPTY_TUPLE
  [0x74, (r) => r.push(r.popMarked())], // TUPLE
  [0x85, (r) => r.push(r.pops(1))], // TUPLE1
  [0x86, (r) => r.push(r.pops(2))], // TUPLE2
  [0x87, (r) => r.push(r.pops(3))], // TUPLE3
  [0x5d, (r) => r.push([])], // EMPTY_LIST
  [0x61, (r) => r.append(r.pops(1))], // APPEND
  [0x65, (r) => r.append(r.popMarked())], // APPENDS
  [0x7d, (r) => r.push(new Map())], // EMPTY_DICT
  [0x73, (r) => r.set(r.pops(2))], // SETITEM
  [0x75, (r) => r.set(r.popMarked())], // SETITEMS
  [0x68, (r) => r.recall(r.byte())], // BINGET
  [0x6a, (r) => r.recall(r.word())], // LONG_BINGET
  [0x71, (r) => r.remember(r.byte())], // BINPUT
  [0x72, (r) => r.remember(r.word())], // LONG_BINPUT
  [0x94, (r) => r.rememberNext()], // MEMOIZE
  [0x63, (r) => r.global(r.line(), r.line())], // GLOBAL
  [0x93, (r) => r.global(...(r.pops(2) as [unknown, unknown]))], // STACK_GLOBAL
  [0x51, (r) => r.persistent()], // BINPERSID
  [0x52, (r) => r.call()], // REDUCE
  [0x62, (r) => r.build()], // BUILD
])
