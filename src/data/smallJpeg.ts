/**
 * Small JPEGs, decoded in the thread that asks by libjpeg as WebAssembly: the same bits as by libvips, which takes
 * longer to set up than such a picture takes.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import decode, { init } from '@jsquash/jpeg/decode.js'

/** Bytes [height, width, channels]. */
export interface Decoded {
  data: Uint8Array
  width: number
  height: number
}

/** What the decoder makes of a picture; browsers have it. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

const path = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')
/** Resolves when the decoder is there; absent where there is none to use. */
let opened: Promise<void> | undefined

/** The RGBA pixels of a JPEG; undefined where it is broken: another decoder may say why. */
export async function decodeSmallJpeg(bytes: Uint8Array): Promise<Decoded | undefined> {
  opened ??= open()
  await opened
  try {
    const { data, width, height } = await decode(bytes as never)
    return { data: new Uint8Array(data.buffer), width, height }
  } catch {
    // What a failure leaves behind is never given back: the next picture gets a decoder of its own.
    opened = undefined
    return undefined
  }
}

function open(): Promise<void> {
  if (!('ImageData' in globalThis)) Object.assign(globalThis, { ImageData: PlainImageData })
  return init({ wasmBinary: readFileSync(path), printErr: () => {} } as Parameters<typeof init>[0])
}
