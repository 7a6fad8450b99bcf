/**
 * One training step of DIN on random ids, as `mim ctr` trains it: look-ups, target attention 64, head 200-80,
 * binary cross-entropy, Adam on the dense part and lazy Adam on the rows that the step touched. A new batch is
 * made within each step. `padded`: every impression owns `history` behaviors, as many as the peer computes under
 * its mask. `ragged`: it owns 1 to `history` of them, the data that the peer's mask stands for, laid end to end.
 */

import { Random } from '../../src/base/random.js'
import { ctrConfig } from '../../src/config/ctr.js'
import { loadConfig } from '../../src/config/load.js'
import type { Session, Value } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import { makeTraining } from '../../src/engine/training.js'
import { CtrInputs, ctrLoss, ctrModel, historyInput, tableName, targetInput } from '../../src/models/ctr/index.js'
import { BatchStatistics } from '../../src/nn/norm.js'
import { Parameters } from '../../src/nn/parameters.js'
import { input, type Shape } from '../../src/ops/index.js'
import { paddedHistories } from '../../src/stages/ctr/batch.js'
import { benchEngine, type Figures, type Size, secondsOf } from './measure.js'

const ints = (data: Int32Array): Value => ({ data, shape: [data.length] })

export async function ctr(histories: Histories, size: Size): Promise<Figures> {
  const { batch = 1024, steps = 20 } = size
  const { step, session } = await openCtr(histories, size)
  const seconds = await secondsOf(step, steps)
  session.dispose()
  return { step_ms: seconds * 1e3, samples_per_s: batch / seconds }
}

/** By how much the memory of the process grows from a tenth of the steps on, in percent. */
export async function ctrGrowth(histories: Histories, size: Size): Promise<Figures> {
  const { steps = 2000 } = size
  const { step, session } = await openCtr(histories, size)
  const residentAfter = async (count: number) => {
    for (let i = 0; i < count; i++) step()
    // What JavaScript has yet to collect is no growth.
    await new Promise((done) => setTimeout(done, 100))
    return process.memoryUsage.rss()
  }
  const first = await residentAfter(Math.ceil(steps / 10))
  const last = await residentAfter(steps - Math.ceil(steps / 10))
  session.dispose()
  return { growth_percent: 100 * (last / first - 1), resident_mb: last / 2 ** 20 }
}

type Histories = 'padded' | 'ragged'

async function openCtr(histories: Histories, size: Size) {
  const { vocab = 1_000_000, batch = 1024, history = 50, dim = 32 } = size
  const engine = await benchEngine()
  const p = new Parameters()
  const inputs = new CtrInputs(
    {
      impression: [],
      item: [{ name: 'item', table: 'item', size: vocab, values: 1, isWeighted: false }],
      content: undefined,
    },
    dim,
  )
  const sets = ['name=din', `dim=${dim}`, 'attention=[64]', 'head=[200, 80]'].map((set) => `model.${set}`)
  const { model } = loadConfig(ctrConfig, { sets })
  const mode = { statistics: new BatchStatistics(true), prefix: '' }
  const loss = ctrLoss(ctrModel(p, inputs, model, mode), input('label', [-1]), 0)
  const table = { name: tableName('item'), shape: [vocab, dim], lookups: inputs.lookups }
  const training = makeTraining(loss, p, [table], {})
  const session = engine.open(training.programs, training.state)
  for (const parameter of p.list()) session.write(parameter.name, initialValues(parameter, 1))
  fill(session, table)

  let at = 0
  const step = () => {
    const part = { inputs: paddedHistories(randomBatch(histories, { vocab, batch, history })), rows: batch }
    training.step(session, [part], at++, 1e-3)
  }
  return { step, session }
}

/** Random rows in the whole table: one drawn piece again and again, for drawing ten million rows takes long. */
function fill(session: Session, { name, shape: [rows, width] }: { name: string; shape: Shape }): void {
  const random = Random.of('table')
  const piece = Float32Array.from({ length: Math.min(rows, 2 ** 15) * width }, () => random.normal() * 0.01)
  for (let from = 0; from < rows; from += piece.length / width) {
    session.write(name, piece.subarray(0, Math.min(rows - from, piece.length / width) * width), from)
  }
}

function randomBatch(
  histories: Histories,
  { vocab, batch, history }: Required<Pick<Size, 'vocab' | 'batch' | 'history'>>,
): Record<string, Value> {
  const below = (n: number) => Math.floor(Math.random() * n)
  const length = () => (histories === 'padded' ? history : 1 + below(history))
  const lengths = Int32Array.from({ length: batch }, length)
  const owner = new Int32Array(lengths.reduce((a, b) => a + b, 0))
  lengths.reduce((from, n, row) => {
    owner.fill(row, from, from + n)
    return from + n
  }, 0)
  return {
    [historyInput('item')]: ints(new Int32Array(owner.length).map(() => below(vocab))),
    [targetInput('item')]: ints(new Int32Array(batch).map(() => below(vocab))),
    owner: ints(owner),
    label: { data: Float32Array.from({ length: batch }, () => below(2)), shape: [batch] },
  }
}
