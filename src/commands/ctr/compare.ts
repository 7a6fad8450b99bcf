import { labelOf } from '../../metrics/index.js'
import { aligned, comparedMetrics, four, interval, signed } from '../../report/index.js'
import { type BucketPair, comparePair, type PairComparison } from '../../studies/comparePair.js'

export async function run(folderA: string, folderB: string, { json }: { json?: boolean }): Promise<void> {
  const comparison = await comparePair(folderA, folderB)
  process.stdout.write(json ? `${JSON.stringify(comparison)}\n` : text(comparison))
}

function text({ a, b, differences, by_item_frequency, by_history_length }: PairComparison): string {
  const rows = comparedMetrics.map((name) => [
    labelOf(name),
    four(a.summary[name]),
    four(b.summary[name]),
    name in differences
      ? interval(differences[name as keyof typeof differences])
      : signed(a.summary[name] - b.summary[name]),
  ])
  const head = ['', `A: ${a.name}`, `B: ${b.name}`, 'A − B [95 % of users]']
  return [
    aligned([head, ...rows]),
    aligned([['training impressions', ...ofBuckets], ...buckets(by_item_frequency)]),
    aligned([['history length', ...ofBuckets], ...buckets(by_history_length)]),
  ].join('\n')
}

const ofBuckets = ['rows', 'AUC of A', 'AUC of B', 'A − B']

const buckets = (list: BucketPair[]) =>
  list.map(({ low, high, rows, a, b }) => [
    low === high ? `${low}` : `${low}–${high}`,
    String(rows),
    four(a),
    four(b),
    signed(a - b),
  ])
