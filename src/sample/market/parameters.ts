/** Every number that shapes the generated data, in one place; lengths of time in the unit that the name tells. */
import { UserError } from '../../base/errors.js'

export type SampleSize = 'tiny' | 'small' | 'medium' | number

/** How much is generated. */
export interface Extent {
  items: number
  users: number
  impressions: number
}

/** Fewer items than this leave categories empty and the test period without unseen items. */
export const fewestItems = 60

export const parameters = {
  /** Goes up with every change of the code that these numbers do not show: no sample of older code is reused. */
  revision: 4,

  sizes: {
    tiny: { items: 120, users: 60, impressions: 3_000 },
    small: { items: 500, users: 350, impressions: 35_000 },
    medium: { items: 2_000, users: 500, impressions: 150_000 },
  } satisfies Record<string, Extent>,
  /** Of a size given as a number of items. */
  perItem: { users: 0.35, impressions: 75 },

  log: {
    startsAt: '2025-03-01T00:00:00Z',
    days: 45,
    /** Relative traffic per hour of the day, UTC. */
    hours: [3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5],
    /** Share of a user's requests that follow the one before within minutes, as in one visit. */
    sameVisit: 0.5,
  },

  items: {
    /** Share that arrives during the log; raises the share of test impressions on unseen items. */
    arriving: 1 / 3,
    /** The others arrived within so many days before it. */
    daysBefore: 300,
    /** Exposure ∝ (rank / items + offset)^−exponent: a larger exponent or a smaller offset makes a steeper head. */
    popularity: { exponent: 0.65, offset: 0.05 },
    /** Shares with no title and with no picture; never both. */
    missing: { title: 0.02, picture: 0.02 },
    /** Share of ids above 2^53, where a double would lose the last digit. */
    hugeIds: 0.1,
    /** Standard deviation, in log-odds of a click, of what no picture or title tells. */
    quality: 0.15,
  },

  /** Probability that a title names each attribute; each is also in the picture unless said. */
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
    /** Fewer archetypes let a short history tell more. */
    archetypes: 5,
    /** Share of a user that is the main archetype (uniform in the range); one other archetype is the rest. */
    main: [0.95, 1],
    /** Standard deviation, in log-odds of a click, of an archetype's weights; larger ones raise every AUC. */
    spread: { category: 0.25, color: 1.7, pattern: 0.45, material: 0.1, brand: 0.05, priceLevel: 0.05 },
    /** Share of the variance that all archetypes have in common: raises the AUC of item means. */
    common: 0.08,
    /** Variance of a user's own deviation, as a share of the archetype's: lowers what a history can tell. */
    personal: 0.008,
  },

  users: {
    /** Standard deviation of the logarithm of activity. */
    activity: 0.6,
  },

  requests: {
    /** Shown items, uniform in the range. */
    shown: [8, 10],
    kinds: { feed: 0.65, text: 0.23, photo: 0.12 },
    /** Candidates that a query is answered from, and the share of them taken from its category. */
    candidates: 60,
    sameCategory: 0.85,
    /** Log-odds, per unit of relevance, of being picked from the candidates. */
    ranking: 3,
    /** Items that the user has in mind before picking one to ask for, by taste. */
    inMind: 12,
    /** Probability that a photo keeps each of the color and the pattern of what the user has in mind. */
    photoKeeps: 0.9,
    /** Probability that a text query names each attribute. */
    words: { category: 0.9, color: 0.6, pattern: 0.5, material: 0.35 },
  },

  clicks: {
    /** Mean click probability; the bias is solved for it. */
    rate: 0.117,
    /** Log-odds per unit of relevance to the query, about its usual value. */
    relevance: 0.05,
    usualRelevance: 0.6,
    /** Log-odds per position down the list, about its middle. */
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
    /** Impressions at the mean rate that an item's click rate starts from. */
    smoothing: 20,
  },
}

/** @throws UserError `sample-seed` */
export function checkSeed(seed: number): void {
  if (Number.isSafeInteger(seed)) return
  throw new UserError({ id: 'sample-seed', what: `sample seed ${seed}`, expected: 'a whole number' })
}

/** Items, users and impressions of a size; UserError `sample-size` where it is none. */
export function extentOf(size: SampleSize): Extent {
  const { sizes, perItem } = parameters
  if (typeof size === 'number') {
    if (Number.isInteger(size) && size >= fewestItems)
      return { items: size, users: Math.round(size * perItem.users), impressions: size * perItem.impressions }
  } else if (Object.hasOwn(sizes, size)) return sizes[size]
  throw new UserError({
    id: 'sample-size',
    what: `sample size ${JSON.stringify(size)}`,
    expected: `${Object.keys(sizes).join(', ')} or a whole number of items from ${fewestItems}`,
  })
}
