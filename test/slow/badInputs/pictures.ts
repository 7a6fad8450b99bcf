/** Bad pictures and titles: in a catalogue, as queries of neighbors, and in a log of behaviors. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, symlinkSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { type BadInput, commands } from './badInput.js'
import { lastOf, type Place } from './prepared.js'

const { neighbors } = commands

/** A PNG that says it has these sizes, with the compressed bytes `data` as its pixels. */
export function pngOf(width: number, height: number, data: Buffer): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([8, 2], 8)
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), content])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(content.length)
    body.copy(out, 4)
    out.writeUInt32BE(crc(body), body.length + 4)
    return out
  }
  const magic = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([magic, chunk('IHDR', head), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

function crc(bytes: Buffer): number {
  let value = ~0
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  }
  return ~value >>> 0
}

const picture = sharp({ create: { width: 40, height: 40, channels: 3, background: '#c81e1e' } })
const jpeg = () => picture.clone().jpeg().toBuffer()
const svg = (inner: string, head = '') =>
  `${head}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="20" height="20">${inner}</svg>`
const entities = `<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, i) => `<!ENTITY ${'bcdefghij'[i]} "${`&${'abcdefghi'[i]};`.repeat(10)}">`).join('')}]>`

type Bytes = string | Uint8Array | Promise<Uint8Array>
/** Pictures that no decoder should take, with what is said about them. */
export const badPictures: Record<string, { bytes: () => Bytes; says: RegExp; name?: string }> = {
  'no byte': { bytes: () => '', says: /empty/ },
  'one byte': { bytes: () => 'x', says: /./ },
  'a text': { bytes: () => 'no picture', says: /./ },
  'a page of an error': { bytes: () => '<!DOCTYPE html><html><title>404</title></html>', says: /./ },
  'a pointer of Git LFS': { bytes: () => 'version https://git-lfs.github.com/spec/v1\n', says: /./ },
  'a JPEG of its head alone': { bytes: async () => (await jpeg()).subarray(0, 30), says: /./ },
  'the head of a PNG': { bytes: async () => (await picture.clone().png().toBuffer()).subarray(0, 40), says: /./ },
  'a WebP cut in half': { bytes: async () => (await picture.clone().webp().toBuffer()).subarray(0, 30), says: /./ },
  'an AVIF cut in half': { bytes: async () => (await picture.clone().avif().toBuffer()).subarray(0, 200), says: /./ },
  'a bomb of 60000 × 60000 pixels': {
    bytes: () => pngOf(60000, 60000, deflateSync(Buffer.alloc(2 ** 20))),
    says: /too large|pixels/,
  },
  'a PNG of 2³¹ pixels a side': { bytes: () => pngOf(2 ** 31 - 1, 2 ** 31 - 1, deflateSync('')), says: /./ },
  'a PNG of no pixel': { bytes: () => pngOf(0, 0, deflateSync('')), says: /./ },
  'a PNG without pixels': { bytes: () => pngOf(100, 100, deflateSync('')), says: /./ },
  'a PNG with wrong pixels': { bytes: () => pngOf(100, 100, Buffer.alloc(1000, 7)), says: /./ },
  'an SVG': { bytes: () => svg('<rect width="9" height="9"/>'), says: /./ },
  'an SVG behind a prolog': { bytes: () => `<?xml version="1.0"?>\n${svg('<rect width="9" height="9"/>')}`, says: /./ },
  'an SVG behind comments': { bytes: () => `${'<!-- x -->'.repeat(1000)}${svg('')}`, says: /./ },
  'an SVG in UTF-16': {
    bytes: () => Buffer.from(`\ufeff<?xml version="1.0" encoding="UTF-16"?>${svg('')}`, 'utf16le'),
    says: /./,
  },
  'an SVG with a file of the system': {
    bytes: () => svg('<text>&x;</text>', '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    says: /./,
  },
  'an SVG with a thousand million laughs': { bytes: () => svg('<text>&j;</text>', entities), says: /./ },
  'a PDF': { bytes: () => '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>', says: /./ },
  'a PostScript': { bytes: () => '%!PS-Adobe-3.0\nshowpage', says: /./ },
  'a script of ImageMagick': {
    bytes: () => 'push graphic-context\nfill "url(https://x/)"\npop graphic-context',
    says: /./,
  },
  'a program': { bytes: () => Buffer.from('7f454c4602010100', 'hex'), says: /./ },
}

const list: BadInput[] = []
const ending = (name: string) =>
  /JPEG/.test(name) ? 'jpg' : /WebP/.test(name) ? 'webp' : /SVG/.test(name) ? 'svg' : 'png'
for (const [name, { bytes, says }] of Object.entries(badPictures)) {
  list.push({
    name: `query picture: ${name}`,
    make: async (place) => neighbors(place.sound.table, '--image', place.file(`bad.${ending(name)}`, await bytes())),
    id: 'image-unreadable',
    says: new RegExp(`bad\\.\\w+: .*(?:${says.source})`),
  })
}
const query = (name: string, make: (place: Place) => string, id: string, says: RegExp) =>
  list.push({
    name: `query picture: ${name}`,
    make: (place) => neighbors(place.sound.table, '--image', make(place)),
    id,
    says,
  })
query('nothing', ({ path }) => path('none.jpg'), 'image-unreadable', /none\.jpg/)
query('a folder', ({ folder }) => folder, 'image-unreadable', /./)
query(
  'a link to itself',
  ({ path }) => lastOf(symlinkSync('loop.jpg', path('loop.jpg')), path('loop.jpg')),
  'image-unreadable',
  /loop/,
)
query(
  'a pipe',
  ({ path }) => lastOf(execFileSync('mkfifo', [path('pipe.jpg')]), path('pipe.jpg')),
  'image-unreadable',
  /pipe/,
)
query('an endless device', () => '/dev/zero', 'image-unreadable', /zero/)
query('a name with a zero byte', () => 'a\0b.jpg', 'image-unreadable', /a/)
query('a name of 5000 letters', () => `${'x'.repeat(5000)}.jpg`, 'image-unreadable', /x/)
query(
  'a file of 300 MB',
  ({ path }) => {
    const file = openSync(path('huge.jpg'), 'w')
    ftruncateSync(file, 300e6)
    closeSync(file)
    return path('huge.jpg')
  },
  'image-unreadable',
  /huge/,
)
query('an address', () => 'https://example.com/a.jpg', 'image-unreadable', /example/)

/** Catalogues in which every picture is this one: too many are broken. */
const catalogue = (
  command: 'embed' | 'pretrain',
  name: string,
  value: (place: Place) => Promise<string> | string,
  says: RegExp,
  id = 'pictures-bad',
) =>
  list.push({
    name: `pictures of a catalogue, to ${command}: ${name}`,
    make: async (place) => {
      const path = await place.table(
        'bad/items.parquet',
        `SELECT * REPLACE (${await value(place)} AS image) FROM {items}`,
      )
      return commands[command](place, { 'data.items': path })
    },
    id,
    says,
    leaves: ['out/rejected.parquet'],
  })
const hex = (bytes: Uint8Array | string) => `unhex('${Buffer.from(bytes).toString('hex')}')`
for (const command of ['embed', 'pretrain'] as const) {
  for (const name of [
    'a text',
    'a bomb of 60000 × 60000 pixels',
    'an SVG with a thousand million laughs',
    'a PNG with wrong pixels',
    'a JPEG of its head alone',
  ]) {
    catalogue(command, name, async () => hex(await badPictures[name].bytes()), /rejected\.parquet/)
  }
  for (const [name, value] of Object.entries({
    'paths to nothing': "'none.jpg'",
    'paths out of the folder': "'../../../../etc/passwd'",
    'full paths': "'/etc/passwd'",
    'paths to a device': "'/dev/zero'",
    'paths to the folder': "'.'",
    'data URIs without a picture': "'data:image/png;base64,AAAA'",
    'paths with escapes of a terminal': "chr(27) || '[2J' || chr(7) || chr(10) || '.jpg'",
    'paths of 10,000 letters': "repeat('x', 10000)",
  }))
    catalogue(command, name, () => value, /rejected\.parquet/)
}

export const pictures = list
