/** Pictures as text other than a path: `data:` URIs are decoded; addresses and bare base64 get a reason. */

/** An address with a scheme, or without it ("//host.name/…"). */
const address = /^\s*([a-z][a-z0-9+.-]*:\/\/|\/\/[\w-]+(\.[\w-]+)+\/)/i

const dataUri = /^\s*data:([^,]*),/i

/** First letters of base64 of JPEG, PNG, GIF and RIFF (WebP); more letters than a path to a file of that name has. */
const base64Picture = /^\s*(\/9j\/|iVBORw0KGgo|R0lGOD|UklGR)[\w+/=\s]{200}/

export const isUri = (text: string): boolean => dataUri.test(text) || address.test(text) || base64Picture.test(text)

/** Kind of the reason for an address, which counts of reasons begin with. */
export const addressKind = 'URL'

/**
 * The bytes of a `data:` URI (RFC 2397), base64 or percent-encoded.
 * @throws Error with the reason for other texts that are no path.
 */
export function uriBytes(text: string): Uint8Array {
  const [head, options] = dataUri.exec(text.slice(0, maxHead)) ?? []
  if (head === undefined) {
    if (address.test(text)) throw new Error(`${addressKind}: a URL is not fetched; download the picture first`)
    throw new Error('base64: neither path nor picture; write the bytes, or put data:image/jpeg;base64, before the text')
  }
  if (/;\s*base64\s*$/i.test(options)) return Buffer.from(text.slice(head.length), 'base64')
  return percentDecoded(text.slice(head.length))
}

/** Media type and options of a URI are shorter. */
const maxHead = 1024

function percentDecoded(text: string): Uint8Array {
  const latin = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(latin, 'latin1')
}
