/**
 * Merges groupings of items: items that share a number in any of `groups` [items] get the same number, also through
 * other items. The number is the lowest item number of the merged group [items].
 */
export function mergeGroups(groups: readonly Int32Array[]): Int32Array {
  const first = Int32Array.from(groups[0].keys())
  const root = (item: number): number => {
    while (first[item] !== item) item = first[item] = first[first[item]]
    return item
  }
  for (const group of groups) {
    const member = new Map<number, number>()
    for (const [item, number] of group.entries()) {
      const other = member.get(number)
      if (other === undefined) member.set(number, item)
      else first[Math.max(root(item), root(other))] = Math.min(root(item), root(other))
    }
  }
  return first.map((_, item) => root(item))
}
