/** Durations as users write them: `90s`, `30m`, `2h`, `1h30m`. */
export const durationPattern = /^(?=\d)(\d+(?:\.\d+)?h)?(\d+(?:\.\d+)?m)?(\d+(?:\.\d+)?s)?$/

/** Seconds of a duration that matches `durationPattern`. */
export function secondsIn(text: string): number {
  const [hours, minutes, seconds] = durationPattern
    .exec(text)!
    .slice(1)
    .map((part) => Number.parseFloat(part ?? '0'))
  return hours * 3600 + minutes * 60 + seconds
}
