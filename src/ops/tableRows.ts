/** Reserved rows of embedding tables. */

/** Row of padding: its embedding is always zero. */
export const paddingRow = 0

/** Row of everything unknown: unseen ids, missing values. */
export const unknownRow = 1
