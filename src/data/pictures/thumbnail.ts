/** Pictures small enough to lie inside a report. */
import sharp from 'sharp'
import { type PictureInput, type PicturePlace, pictureBytes } from './files.js'

/** Twice the size at which they are shown, for fine screens. */
const side = 224
const quality = 72

/**
 * A JPEG data URI of a picture, the whole of it, no side longer than 224 pixels; undefined where there
 * is none or it cannot be read.
 */
export async function thumbnail(
  picture: PictureInput | null,
  { maxPixels, ...place }: PicturePlace & { maxPixels: number },
): Promise<string | undefined> {
  if (picture === null) return undefined
  try {
    const jpeg = await sharp(await pictureBytes(picture, place), { limitInputPixels: maxPixels })
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
