/**
 * A sum that keeps what each addition rounds off (Neumaier 1974). It is the correctly rounded one but in rare cases, so
 * that the order of the rows, and who adds, does not matter.
 */
export class Sum {
  private sum = 0
  private lost = 0

  add(x: number): void {
    const next = this.sum + x
    this.lost += Math.abs(this.sum) >= Math.abs(x) ? this.sum - next + x : x - next + this.sum
    this.sum = next
  }

  get value(): number {
    return this.sum + this.lost
  }
}
