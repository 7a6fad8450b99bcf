/** Impressions as inputs of a click model. */
import type { CtrDataset } from '../data/ctrDataset.js'
import type { Value } from '../engine/index.js'
import { type CtrFeatures, historyInput, targetInput } from '../models/ctr.js'

export function ctrFeatures({ impressionFeatures, itemFeatures, content }: CtrDataset): CtrFeatures {
  return { impression: impressionFeatures, item: itemFeatures, content }
}

/** The inputs of a click model for the impressions `rows`; `label` is float [B]. */
export function ctrBatch(data: CtrDataset, rows: Int32Array): Record<string, Value> {
  const { item, label, events, historyStart, historyEnd } = data.impressions
  let length = 0
  for (const row of rows) length += historyEnd[row] - historyStart[row]
  const owner = new Int32Array(length)
  const history = new Int32Array(length)
  let at = 0
  for (let k = 0; k < rows.length; k++) {
    for (let e = historyStart[rows[k]]; e < historyEnd[rows[k]]; e++, at++) {
      owner[at] = k
      history[at] = events[e]
    }
  }
  const ints = (data: Int32Array): Value => ({ data, shape: [data.length] })
  const inputs: Record<string, Value> = {
    owner: ints(owner),
    label: { data: Float32Array.from(rows, (row) => label[row]), shape: [rows.length] },
  }
  for (const { name, rowOf } of data.impressionFeatures) inputs[targetInput(name)] = ints(rows.map((row) => rowOf[row]))
  const itemColumns = [...data.itemFeatures, ...(data.content ? [{ name: 'content', rowOf: data.content.rowOf }] : [])]
  for (const { name, rowOf } of itemColumns) {
    inputs[targetInput(name)] = ints(rows.map((row) => rowOf[item[row]]))
    inputs[historyInput(name)] = ints(history.map((i) => rowOf[i]))
  }
  return inputs
}
