/** Small pictures to embed in reports. */
import { type PictureInput, type PicturePlace, pictureBytes } from './files.js'
import { metadataOf, openPicture } from './libvips.js'

/** Twice the displayed size, for high-resolution screens. */
const side = 224
const quality = 72

/** A JPEG data URI of the uncropped picture, at most 224 pixels per side; undefined for a missing or unreadable one. */
export async function thumbnail(
  picture: PictureInput | null,
  { maxPixels, ...place }: PicturePlace & { maxPixels: number },
): Promise<string | undefined> {
  if (picture === null) return undefined
  try {
    const image = openPicture(await pictureBytes(picture, place), maxPixels, 'warning')
    await metadataOf(image)
    const jpeg = await image
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(side, side, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality })
      .toBuffer()
    return `data:image/jpeg;base64,${jpeg.toString('base64')}`
  } catch {
    return undefined
  }
}
