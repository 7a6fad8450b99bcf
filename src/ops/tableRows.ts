/** Values of a feature as rows of its embedding table. */

/** Row of padding: its embedding is and stays zero. */
export const paddingRow = 0

/** Row that stands for everything unknown: unseen ids, missing values. */
export const unknownRow = 1
