/** A binary heap: `pop` removes the value that comes before all others. */
export class Heap<T> {
  private readonly values: T[] = []

  constructor(private readonly comesFirst: (a: T, b: T) => boolean) {}

  push(value: T): void {
    const { values } = this
    let place = values.length
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.comesFirst(value, values[parent])) break
      values[place] = values[parent]
      place = parent
    }
    values[place] = value
  }

  pop(): T | undefined {
    const { values } = this
    const [first] = values
    const last = values.pop()
    if (last === undefined || values.length === 0) return last
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= values.length) break
      if (child + 1 < values.length && this.comesFirst(values[child + 1], values[child])) child++
      if (!this.comesFirst(values[child], last)) break
      values[place] = values[child]
      place = child
    }
    values[place] = last
    return first
  }
}
