/**
 * The only way from bytes to libvips, which would read more than the pictures that we mean: SVG in any disguise
 * (behind a prolog, a comment or a byte order mark, gzipped), PDF, what ImageMagick reads. Those may refer to other
 * files and addresses, or name any size.
 */
import sharp, { type Metadata, type Sharp } from 'sharp'
import { isRaster } from './unsupported.js'

// Many pictures are decoded in parallel, so each needs one thread only; no picture comes twice.
sharp.concurrency(1)
sharp.cache(false)

const svg = 'VipsForeignLoadSvg'

/**
 * Readers of libvips that stay closed, whatever the file begins with. Each thread closes them again, so those of JPEG,
 * PNG, WebP, GIF, TIFF and AVIF must at no moment be among them. UltraHDR is JPEG, read as such.
 */
const closed = ['Csv', 'Matrix', 'Raw', 'Vips', 'Analyze', 'Ppm', 'Rad', 'Fits', 'Nifti', 'Mat', 'Openexr', 'Openslide']
  .concat(['Pdf', 'Magick', 'Magick7', 'Jp2k', 'Jxl', 'Dcraw', 'Uhdr'])
  .map((name) => `VipsForeignLoad${name}`)
sharp.block({ operation: [svg, ...closed] })

/**
 * Opens the encoded picture; libvips reads it later.
 * @throws Error unless it begins as a JPEG, PNG, WebP, GIF, TIFF or ISO media file (AVIF)
 */
export function openPicture(bytes: Uint8Array, maxPixels: number, failOn: 'error' | 'warning' = 'error'): Sharp {
  if (!isRaster(bytes)) throw new Error('unsupported image format')
  return sharp(bytes, { limitInputPixels: maxPixels, failOn })
}

/** JPEG has no longer sides. A PNG of megabytes may claim millions, which take minutes and gigabytes to resize. */
const longestSide = 65_535

/** The metadata of a picture. @throws Error with the reason if a side is too long. */
export async function metadataOf(image: Sharp): Promise<Metadata> {
  const found = await image.metadata()
  if (Math.max(found.width, found.height) > longestSide)
    throw new Error(`too large: ${found.width} × ${found.height}, more than ${longestSide} pixels along a side`)
  return found
}

let rendering = 0

/** Renders SVG of our own; `render` gets sharp. No pictures of others are decoded meanwhile. */
export async function renderSvg<T>(text: string, render: (image: Sharp) => Promise<T>): Promise<T> {
  if (rendering++ === 0) sharp.unblock({ operation: [svg] })
  try {
    return await render(sharp(Buffer.from(text)))
  } finally {
    if (--rendering === 0) sharp.block({ operation: [svg] })
  }
}
