/**
 * Sums of doubles with the same bits always. DuckDB's threads add in whatever order they come, and a sum of doubles
 * depends on the order. So numbers are added as integers: with 64 binary digits after the point, which is finer than
 * a double is above 2^-12.
 */

const unit = 2 ** 64

/** SQL of the sum of `value`, finite and below 2^63 in magnitude, as HUGEINT: read it with `ofExactSum`. */
export const exactSum = (value: string) => `sum(CAST((${value}) * CAST(${unit} AS DOUBLE) AS HUGEINT))`

/** The number of an `exactSum`, correctly rounded; null, of no rows, is NaN. */
export const ofExactSum = (sum: bigint | null) => (sum === null ? Number.NaN : Number(sum) / unit)

/** SQL of the mean of `value` as DOUBLE; null without rows, NaN if a value is not finite. */
export const exactMean = (value: string) =>
  `CASE WHEN NOT bool_and(isfinite(${value})) THEN CAST('nan' AS DOUBLE)
   ELSE CAST(${exactSum(`CASE WHEN isfinite(${value}) THEN ${value} END`)} AS DOUBLE) / ${unit} / count(${value}) END`
