/** All constants of the generated data; names of durations end with the unit. */
import { UserError } from '../../base/errors.js'

export type SampleSize = 'tiny' | 'small' | 'medium' | number

/** Amount of generated data. */
export interface Extent {
  items: number
  users: number
  impressions: number
}

/** Fewer items than this leave categories empty and the test period without unseen items. */
export const fewestItems = 60

export const parameters = {
  /** Increased with every other change of the generated data, so that samples of older code are not reused. */
  revision: 4,

  sizes: {
    tiny: { items: 120, users: 60, impressions: 3_000 },
    small: { items: 500, users: 350, impressions: 35_000 },
    medium: { items: 2_000, users: 500, impressions: 150_000 },
  } satisfies Record<string, Extent>,
  /** For a size given as a number of items. */
  perItem: { users: 0.35, impressions: 75 },

  log: {
    startsAt: '2025-03-01T00:00:00Z',
    days: 45,
    /** Relative traffic per hour of the day, UTC. */
    hours: [3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5],
    /** Share of a user's requests that belong to the same visit as the previous one (minutes apart). */
    sameVisit: 0.5,
  },

  items: {
    /** Share that arrives during the log; raises the share of test impressions on unseen items. */
    arriving: 1 / 3,
    /** The others arrived within this many days before the log. */
    daysBefore: 300,
    /** Exposure ∝ (rank / items + offset)^−exponent: a larger exponent or a smaller offset makes a steeper head. */
    popularity: { exponent: 0.65, offset: 0.05 },
    /** Shares with no title and with no picture; never both. */
    missing: { title: 0.02, picture: 0.02 },
    /** Share of ids above 2^53, where a double would lose the last digit. */
    hugeIds: 0.1,
    /** Standard deviation, in log-odds of a click, of the part that pictures and titles do not determine. */
    quality: 0.15,
  },

  /** Probability that a title names each attribute; each is also in the picture, except where noted. */
  titles: {
    category: 0.95,
    color: 0.85,
    pattern: 0.85,
    /** Not in the picture. */
    material: 0.5,
    /** Not in the picture. */
    brand: 0.25,
    noise: 0.3,
  },

  taste: {
    /** With fewer archetypes a short history is more informative. */
    archetypes: 5,
    /** Weight of a user's main archetype, uniform in the range; one other archetype has the rest. */
    main: [0.95, 1],
    /** Standard deviation, in log-odds of a click, of an archetype's weights; larger ones raise every AUC. */
    spread: { category: 0.25, color: 1.7, pattern: 0.45, material: 0.1, brand: 0.05, priceLevel: 0.05 },
    /** Share of the variance that all archetypes have in common: raises the AUC of item means. */
    common: 0.08,
    /** Variance of a user's own deviation, as a share of the archetype's: makes histories less informative. */
    personal: 0.008,
  },

  users: {
    /** Standard deviation of the logarithm of activity. */
    activity: 0.6,
  },

  requests: {
    /** Number of shown items, uniform in the range. */
    shown: [8, 10],
    kinds: { feed: 0.65, text: 0.23, photo: 0.12 },
    /** Candidates for the results of a query, and the share of them from its category. */
    candidates: 60,
    sameCategory: 0.85,
    /** Log-odds of being shown, per unit of relevance. */
    ranking: 3,
    /** Items that the user has in mind before choosing one by taste. */
    inMind: 12,
    /** Probability that a photo keeps each of the color and the pattern of what the user has in mind. */
    photoKeeps: 0.9,
    /** Probability that a text query names each attribute. */
    words: { category: 0.9, color: 0.6, pattern: 0.5, material: 0.35 },
  },

  clicks: {
    /** Mean click probability; the bias is solved for it. */
    rate: 0.117,
    /** Log-odds per unit of relevance to the query, relative to its usual value. */
    relevance: 0.05,
    usualRelevance: 0.6,
    /** Log-odds per position, relative to the middle of the list. */
    position: -0.03,
    /** After the impression. */
    delaySeconds: [2, 30],
  },

  purchases: {
    /** Mean probability given a click; the bias is solved for it. */
    rate: 0.22,
    /** Slopes on the taste match and on the quality, both in log-odds of a click. */
    taste: 0.6,
    quality: 1,
    /** After the click. */
    delaySeconds: [60, 1_800],
  },

  /** Shares of impressions by time: history before the first, test from the second on. */
  truth: {
    seenUntil: 0.7,
    testFrom: 0.8,
    /** Prior of an item's click rate: this many impressions at the mean rate. */
    smoothing: 20,
  },
}

/** Rows of the largest table that can be generated, and the bytes that a row takes on disk at least, compressed. */
export const mostRows = 1e12
export const rowBytes = 6

/** Items of the largest sample with pictures. */
const mostItems = 10_000_000

/** @throws UserError `sample-seed` */
export function checkSeed(seed: number): void {
  if (Number.isSafeInteger(seed)) return
  throw new UserError({ id: 'sample-seed', what: `sample seed ${seed}`, expected: 'a whole number' })
}

/** Items, users and impressions of a size. @throws UserError `sample-size` */
export function extentOf(size: SampleSize): Extent {
  const { sizes, perItem } = parameters
  if (typeof size === 'number') {
    if (Number.isInteger(size) && size >= fewestItems && size <= mostItems)
      return { items: size, users: Math.round(size * perItem.users), impressions: size * perItem.impressions }
  } else if (Object.hasOwn(sizes, size)) return sizes[size]
  throw new UserError({
    id: 'sample-size',
    what: `sample size ${JSON.stringify(size)}`,
    expected: `${Object.keys(sizes).join(', ')} or a whole number of items from ${fewestItems} to ${mostItems}`,
  })
}
