/** Pictures of items, 64 × 64, drawn as SVG and rendered by sharp. */

import type { Random } from '../../base/random.js'
import { renderSvg } from '../../data/pictures/libvips.js'
import { type Attributes, categories, colors, type Hsl, type PatternName, patterns } from './attributes.js'
import { silhouettes } from './silhouettes.js'

/** Width and height of every picture, in pixels. */
export const pictureSide = 64

/** The look of one product among those of the same attributes; the same in all its pictures. */
export interface Look {
  /** Added to the color's hue (degrees), saturation and lightness (percent). */
  hue: number
  saturation: number
  lightness: number
  /** Width over height, about 1. */
  stretch: number
  /** Size of the pattern, about 1, and its slant in degrees. */
  motif: number
  slant: number
  /** Whether the surface shines. */
  shiny: boolean
}

export function drawLook(random: Random): Look {
  return {
    hue: random.between(-6, 6),
    saturation: random.between(-8, 8),
    lightness: random.between(-5, 5),
    stretch: random.between(0.9, 1.1),
    motif: random.between(0.9, 1.25),
    slant: random.pick([0, 0, 90, 45, -45]) + random.between(-5, 5),
    shiny: random.chance(0.3),
  }
}

/** The part of a product that a picture shows. */
export interface Pictured {
  attributes: Pick<Attributes, 'category' | 'color' | 'pattern'>
  look: Look
}

/** The SVG of a product in one pose; rotation, size, place, background, clutter and light are drawn from `pose`. */
export function drawItem(product: Pictured, pose: Random): string {
  const { attributes, look } = product
  const base = shifted(colors[attributes.color].hsl, look)
  const dark = base.l < 35
  const ink = css({ h: base.h, s: 25, l: dark ? 4 : 18 })
  const tint = css({ ...base, l: dark ? base.l + 12 : base.l * 0.72 })
  const shape = silhouettes[categories[attributes.category].name]
  const body = (fill: string) => `<path d="${shape.body}" fill="${fill}"/>`
  const pattern = patterns[attributes.pattern].name

  const scale = pose.between(0.9, 1.14)
  const mirror = pose.chance(0.5) ? -1 : 1
  const place = [
    `translate(${number(32 + pose.normal() * 1.8)} ${number(32 + pose.normal() * 1.8)})`,
    `rotate(${number(pose.normal() * 8)})`,
    `scale(${number(scale * look.stretch * mirror)} ${number(scale / look.stretch)})`,
  ].join(' ')
  const light = pose.between(-0.2, 0.2)

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${pictureSide}" height="${pictureSide}">`,
    `<defs>${motif(pattern, base, look)}${shine(pose)}</defs>`,
    background(pose),
    `<g transform="${place}">`,
    '<ellipse cx="1" cy="23" rx="21" ry="3.5" fill="#000" opacity=".16"/>',
    shape.behind?.(ink, tint) ?? '',
    body(css(base)),
    pattern === 'plain' ? '' : body('url(#motif)'),
    look.shiny ? body('url(#shine)') : '',
    `<path d="${shape.body}" fill="none" stroke="${ink}" stroke-width="1.4" stroke-linejoin="round"/>`,
    shape.lines ? `<path d="${shape.lines}" fill="none" stroke="${ink}" stroke-width="1" opacity=".7"/>` : '',
    shape.before?.(ink, tint) ?? '',
    '</g>',
    `<rect width="64" height="64" fill="${light < 0 ? '#000' : '#fff6e0'}" opacity="${number(Math.abs(light))}"/>`,
    '</svg>',
  ].join('')
}

export type PictureFormat = 'jpeg' | 'png' | 'webp'

/** The drawing as an encoded picture. */
export function render(svg: string, format: PictureFormat): Promise<Buffer> {
  return renderSvg(svg, (image) => {
    if (format === 'png') return image.removeAlpha().png().toBuffer()
    if (format === 'webp') return image.removeAlpha().webp({ quality: 88 }).toBuffer()
    return image.jpeg({ quality: 90 }).toBuffer()
  })
}

/** The repeating pattern, in a color that contrasts with the base. */
function motif(pattern: PatternName, base: Hsl, { motif: size, slant }: Look): string {
  const accent = css(base.l > 62 ? { h: 230, s: 45, l: 32 } : { h: base.h + 40, s: 55, l: 92 })
  const tile = (side: number, turn: number, content: string) =>
    `<pattern id="motif" patternUnits="userSpaceOnUse" width="${side}" height="${side}" ` +
    `patternTransform="rotate(${number(turn)}) scale(${number(1.5 * size)})">${content}</pattern>`
  if (pattern === 'striped') return tile(8, slant, `<rect width="3.2" height="8" fill="${accent}"/>`)
  if (pattern === 'dotted') return tile(8, 45 + slant / 4, `<circle cx="4" cy="4" r="2.3" fill="${accent}"/>`)
  if (pattern === 'checked')
    return tile(
      10,
      Math.abs(slant) > 30 && Math.abs(slant) < 60 ? 45 : 0,
      `<g fill="${accent}" fill-opacity=".55"><rect width="4.4" height="10"/><rect width="10" height="4.4"/></g>`,
    )
  if (pattern === 'floral') {
    const petals = [0, 72, 144, 216, 288]
      .map((turn) => `<ellipse cx="6" cy="2.9" rx="1.7" ry="2.2" transform="rotate(${turn} 6 6)"/>`)
      .join('')
    const heart = base.l > 62 ? '#f6d743' : '#e8a020'
    return tile(12.5, slant / 3, `<g fill="${accent}">${petals}</g><circle cx="6" cy="6" r="1.5" fill="${heart}"/>`)
  }
  return ''
}

function shine(pose: Random): string {
  const at = number(pose.between(25, 65))
  return (
    '<linearGradient id="shine" x1="0" y1="0" x2="1" y2="0.4">' +
    '<stop offset="0" stop-color="#fff" stop-opacity="0"/>' +
    `<stop offset="${at}%" stop-color="#fff" stop-opacity=".4"/>` +
    '<stop offset="100%" stop-color="#fff" stop-opacity="0"/></linearGradient>'
  )
}

/** A background of light or medium tone with up to four random shapes. */
function background(pose: Random): string {
  const ground: Hsl = { h: pose.between(0, 360), s: pose.between(4, 32), l: pose.between(66, 93) }
  const parts = [`<rect width="64" height="64" fill="${css(ground)}"/>`]
  for (let left = pose.int(5); left > 0; left--) {
    const fill = css({ h: pose.between(0, 360), s: pose.between(5, 40), l: ground.l + pose.between(-16, 10) })
    const [x, y] = [number(pose.between(0, 64)), number(pose.between(0, 64))]
    const [w, h] = [pose.between(6, 26), pose.between(6, 26)]
    parts.push(
      pose.chance(0.5)
        ? `<ellipse cx="${x}" cy="${y}" rx="${number(w / 2)}" ry="${number(h / 2)}" fill="${fill}"/>`
        : `<rect x="${x}" y="${y}" width="${number(w)}" height="${number(h)}" fill="${fill}" ` +
            `transform="rotate(${number(pose.between(0, 90))} ${x} ${y})"/>`,
    )
  }
  return parts.join('')
}

function shifted({ h, s, l }: Hsl, look: Look): Hsl {
  return {
    h: h + look.hue,
    s: Math.max(0, Math.min(100, s + Math.min(look.saturation, s / 2))),
    l: Math.max(6, Math.min(97, l + look.lightness)),
  }
}

function css({ h, s, l }: Hsl): string {
  return `hsl(${number((h + 360) % 360)},${number(s)}%,${number(Math.max(0, Math.min(100, l)))}%)`
}

/** Two decimals are finer than a pixel and the same on every machine. */
function number(value: number): string {
  return String(Math.round(value * 100) / 100)
}
