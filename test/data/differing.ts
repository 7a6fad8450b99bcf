/** Signs in which the sketches of two items differ, 0 to 128, counted one by one. */
export function differing(sketches: Int32Array, a: number, b: number): number {
  let count = 0
  for (let sign = 0; sign < 128; sign++) {
    const [word, bit] = [sign >> 5, 1 << (sign & 31)]
    if ((sketches[4 * a + word] ^ sketches[4 * b + word]) & bit) count++
  }
  return count
}
