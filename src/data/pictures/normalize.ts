/** Converts bytes to the input of an encoder. */

/** Mean and standard deviation per channel, on the scale 0 to 1. */
export interface Normalization {
  mean: readonly number[]
  std: readonly number[]
}

/** Writes bytes [size, size, 3] as [3, size, size] to `out`, starting at `from`: each value is (x/255 − mean) / std. */
export function writeNormalized(
  pixels: ArrayLike<number>,
  { mean, std }: Normalization,
  out: Float32Array,
  from: number,
): void {
  const plane = pixels.length / 3
  for (let c = 0; c < 3; c++) {
    const scale = 1 / (255 * std[c])
    const shift = -mean[c] / std[c]
    const to = from + c * plane
    for (let i = 0; i < plane; i++) out[to + i] = pixels[3 * i + c] * scale + shift
  }
}
