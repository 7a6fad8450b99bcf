/** Describes a data set, and checks it before training. */
import { UserError } from '../../base/errors.js'
import type { CtrConfig } from '../../config/ctr.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import { findLeaks } from '../../data/clicks/leaks.js'
import type { Split } from '../../data/clicks/split.js'
import type { DataFacts } from '../../data/facts.js'
import type { Run } from '../../train/run.js'

/**
 * Warns of features that reveal the label.
 * @throws UserError `leak` with all of them if data.leaks is stop.
 */
export function checkLeaks(data: CtrDataset, { data: { leaks } }: CtrConfig, run: Run): void {
  if (leaks === 'ignore') return
  const found = findLeaks(data)
  if (leaks === 'stop' && found.length > 0) {
    const what = ['features that reveal the label', ...found.map((leak) => leak.what)]
    throw new UserError({ id: 'leak', what, remedy: 'remove them, or run without --strict' })
  }
  for (const { what, feature } of found) {
    const remedy = 'remove it unless it is known when the impression is shown'
    run.warn({ id: 'leak', what: `a leak? ${what}`, remedy }, { leak: feature })
  }
}

/** Notes the sizes of the parts and of the histories. */
export function noteSizes({ impressions, split, store }: CtrDataset, { notes }: DataFacts): void {
  const { rows, users, items, label, behaviorItem, historyStart, historyEnd } = impressions
  const size = (part: keyof Split) => {
    const { from, to } = split[part]
    const rate = `${((100 * label.sum(from, to)) / (to - from)).toFixed(1)} %`
    return `${(to - from).toLocaleString('en-US')} impressions ${part} (CTR ${rate})`
  }
  let [seen, empty] = [0, 0]
  for (const { from, values: ends } of historyEnd.blocks()) {
    const starts = historyStart.read(from, from + ends.length)
    for (let i = 0; i < ends.length; i++) {
      seen += ends[i] - starts[i]
      if (ends[i] === starts[i]) empty++
    }
  }
  notes.push(
    `${size('train')}, ${size('valid')}, ${size('test')}`,
    `${users.toLocaleString('en-US')} users, ${items.toLocaleString('en-US')} items of all tables, ` +
      `${behaviorItem.length.toLocaleString('en-US')} behaviors; ${(seen / rows).toFixed(1)} in a history on average, ` +
      `none in ${((100 * empty) / rows).toFixed(1)} %`,
  )
  if (store.isOnDisk) notes.push('larger than data.memory: read from files and shuffled in buffers of train.buffer')
}

/** @throws UserError `weight-value` if no impression of the training part has a weight. */
export function checkWeights({ impressions: { weight, rows }, split: { train } }: CtrDataset, where: string): void {
  if (weight.length === 0 || weight.sum(train.from, train.to) > 0) return
  throw new UserError({
    id: 'weight-value',
    where,
    what: `all weights of the train part are 0: ${train.to - train.from} of ${rows} impressions`,
    expected: 'a weight above 0',
    remedy: 'correct the weights, or set data.columns.weight to null',
  })
}

/** @throws UserError `labels-one-class` if a part lacks clicks or impressions without a click. */
export function checkClasses({ impressions: { label, rows }, split }: CtrDataset, where: string): void {
  for (const [name, { from, to }] of Object.entries(split)) {
    const clicks = label.sum(from, to)
    if (clicks > 0 && clicks < to - from) continue
    throw new UserError({
      id: 'labels-one-class',
      where,
      what: `the ${name} part has ${clicks} clicks in ${to - from} of ${rows} impressions`,
      expected: 'impressions with and without a click in train, valid and test',
      remedy: 'add data or change split',
    })
  }
}
