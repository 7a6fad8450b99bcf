import { createHash } from 'node:crypto'

/** Hash of an item's title and picture in 32 hexadecimal digits. An unreadable picture counts as an empty one. */
export function contentHash(title: string | null, picture: Uint8Array | null): string {
  const hash = createHash('sha256').update(`${title ?? ''}\0`)
  return (picture ? hash.update(picture) : hash).digest('hex').slice(0, 32)
}
