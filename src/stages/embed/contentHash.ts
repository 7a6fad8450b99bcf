import { createHash } from 'node:crypto'

/** Names what a vector is made from, in 32 hexadecimal digits. A picture that cannot be read counts as one of no bytes. */
export function contentHash(title: string | null, picture: Uint8Array | null): string {
  const hash = createHash('sha256').update(`${title ?? ''}\0`)
  return (picture ? hash.update(picture) : hash).digest('hex').slice(0, 32)
}
