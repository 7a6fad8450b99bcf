/** The outline of each category, centered at (0, 0), about 44 units wide; `drawing.ts` draws the rest. */

export interface Silhouette {
  /** Path data of the part that has the color and the pattern. */
  body: string
  /** Path data of thin lines drawn over the body: seams, collars, rims. */
  lines?: string
  /** SVG drawn behind the body; `ink` is the color of the outline, `tint` a darker shade of the color of the item. */
  behind?: (ink: string, tint: string) => string
  /** SVG drawn in front of the body. */
  before?: (ink: string, tint: string) => string
}

const stroke = (d: string, color: string, width: number) =>
  `<path d="${d}" fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round"/>`

/** By category name. */
export const silhouettes: Record<string, Silhouette> = {
  shirt: {
    body: 'M-8-20L-20-15L-25-2L-17 2L-13-5L-13 20L13 20L13-5L17 2L25-2L20-15L8-20Q0-11-8-20Z',
    lines: 'M-13-5L-12-10M13-5L12-10',
  },
  dress: {
    body: 'M-8-22L-4-22Q0-15 4-22L8-22L9-12Q6-7 7-3L19 20Q0 25-19 20L-7-3Q-6-7-9-12Z',
    lines: 'M-7-3Q0-1 7-3',
  },
  trousers: {
    body: 'M-12-22L12-22L17 22L5 22L0-6L-5 22L-17 22Z',
    lines: 'M-12.5-17L12.5-17M0-17L0-6',
  },
  skirt: {
    body: 'M-11-15L11-15L23 14Q0 21-23 14Z',
    lines: 'M-12.5-11L12.5-11M-5-11L-9 16M5-11L9 16',
  },
  shoe: {
    body: 'M-23-11Q-17-6-11-11L-7-13L5-2Q10 2 18 4Q25 6 24 11L-23 11Z',
    lines: 'M-6-8L0-11M-2-4L4-7',
    before: (ink) =>
      `<rect x="-24" y="10" width="49" height="6" rx="3" fill="#f4f1ea" stroke="${ink}" stroke-width="1.2"/>`,
  },
  bag: {
    body: 'M-18-6L18-6L22 20L-22 20Z',
    behind: (_, tint) => stroke('M-10-5C-10-26 10-26 10-5', tint, 3.4),
    before: (ink) => `<circle cx="0" cy="-2" r="2" fill="#e8c66a" stroke="${ink}" stroke-width=".8"/>`,
  },
  backpack: {
    body: 'M-16-8Q-16-20 0-20Q16-20 16-8L18 21L-18 21Z',
    lines: 'M-16-4Q0 1 16-4M-10 6L10 6L11 21M-10 6L-11 21',
    behind: (_, tint) =>
      stroke('M-5-20Q0-28 5-20', tint, 3) + stroke('M-17 2Q-24 10-18 18M17 2Q24 10 18 18', tint, 3.4),
  },
  hat: {
    body: 'M-25 9Q-20 4-13 5Q-15-16 0-16Q15-16 13 5Q20 4 25 9Q14 17 0 17Q-14 17-25 9Z',
    before: (_, tint) => stroke('M-12.4 4Q0 9 12.4 4', tint, 4),
  },
  umbrella: {
    body: 'M-25 3Q-23-20 0-21Q23-20 25 3Q19-3 12.5 3Q6-3 0 3Q-6-3-12.5 3Q-19-3-25 3Z',
    lines: 'M0-21Q-11-12-12.5 3M0-21Q11-12 12.5 3',
    behind: (ink) => stroke('M0-24L0 17Q0 22 5 21Q8 20 8 17', ink, 2.2),
  },
  mug: {
    body: 'M-16-15L10-15L9 16Q-3 20-15 16Z',
    lines: 'M-16-12Q-3-8 10-12',
    behind: (_, tint) => stroke('M9-8C24-10 23 12 9 9', tint, 4.4),
  },
  bottle: {
    body: 'M-4-17L4-17Q4-12 11-8L12-2L12 20Q0 24-12 20L-12-2L-11-8Q-4-12-4-17Z',
    behind: (ink, tint) => `<rect x="-5" y="-24" width="10" height="7" rx="1.5" fill="${tint}" stroke="${ink}"/>`,
  },
  lamp: {
    body: 'M-10-22L10-22L21 3L-21 3Z',
    behind: (ink, tint) =>
      `${stroke('M0 0L0 19', ink, 3)}<ellipse cx="0" cy="20" rx="11" ry="3.4" fill="${tint}" stroke="${ink}"/>`,
  },
  chair: {
    body: 'M-14-23Q0-26 14-23L13-1L17 7L-17 7L-13-1Z',
    lines: 'M-13-1L13-1',
    behind: (ink) => stroke('M-14 6L-16 23M14 6L16 23M-9 6L-9 20M9 6L9 20', ink, 2.4),
  },
  sofa: {
    body: 'M-19-13Q0-16 19-13L20-2Q26-3 26 3L25 14L-25 14L-26 3Q-26-3-20-2Z',
    lines: 'M-20-2L-18 5L18 5L20-2M0-14L0 5',
    behind: (ink) => stroke('M-20 13L-21 18M20 13L21 18', ink, 3),
  },
  cushion: {
    body: 'M-21-19Q0-14 21-19Q16 0 21 19Q0 14-21 19Q-16 0-21-19Z',
  },
}
