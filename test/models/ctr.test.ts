import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inMemory } from '../../src/data/clicks/columns.js'
import { initializeTable, initialValues } from '../../src/engine/state.js'
import { modelNames, searchOf } from '../../src/models/ctr/index.js'
import { exportClickModel, probabilityOutput } from '../../src/runtime/clickModel.js'
import { openModel } from '../../src/runtime/model.js'
import { ctrBatch, ctrFeatures, paddedHistories } from '../../src/stages/ctr/batch.js'
import { withVectors } from '../../src/stages/ctr/predict.js'
import { ctrPrograms } from '../../src/stages/ctr/programs.js'
import { takeStep } from '../../src/train/step.js'
import { onEachEngine } from '../engines.js'
import { close } from '../ops/check.js'
import { allRows, clickConfig, clickData, openTask, schedule } from '../stages/ctr/clickData.js'

const each = [
  ...modelNames.map((name) => [`model.name=${name}`]),
  ['model.saTa=true'],
  ['model.cube=true'],
  ['model.name=content', 'model.cube=true'],
  ['model.gate=true', 'model.cross=2'],
  ['model.simTier=false', 'model.defaults=true', 'train.unknownShare=0.3'],
  ['model.name=din', 'model.defaults=true', 'model.activation=prelu'],
  ['model.activation=dice', 'model.batchNorm=true', 'train.ema=0.5'],
  ['model.name=sim-soft', 'model.heads=3', 'model.defaults=true'],
  ['model.behaviorSearch.kind=soft', 'model.behaviorSearch.topK=2'],
  ['train.makeEpochs=1', 'train.accumulate=2'],
]

/** Probabilities of all rows from a saved model on ONNX Runtime. */
async function exportedScores(folder: string, sets: string[]): Promise<Float32Array> {
  const [data, config] = [clickData(), clickConfig(sets)]
  const rows = Int32Array.from({ length: data.impressions.rows }, (_, i) => i)
  await exportClickModel(folder, ctrFeatures(data), config, join(folder, 'onnx'))
  const model = await openModel(join(folder, 'onnx/model.onnx'), { provider: 'cpu' }, () => {})
  const outputs = await model.run(withVectors(ctrBatch(data, rows, searchOf(config.model)), data.content))
  await model.close()
  return outputs[probabilityOutput].data as Float32Array
}

await onEachEngine('click models', (engine) => {
  for (const sets of each) {
    test(`when ${sets.join(' ')} is trained then the loss falls and ONNX Runtime predicts the same from what was saved`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mim-click-'))
      const task = openTask(engine, [...sets, 'model.dropout=0'])
      const options = { ...schedule, learningRate: 0.01, steps: 24 }
      const losses: number[] = []
      for (let at = 0; at < 24; at++) losses.push((await takeStep(task, at, options)).loss)
      const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length
      assert.ok(mean(losses.slice(-4)) < mean(losses.slice(2, 6)), `${losses}`)
      task.saveModel(folder)
      const scores = task.predict(allRows)
      const exported = await exportedScores(folder, sets)
      const furthest = Math.max(...scores.map((score, i) => Math.abs(score - exported[i])))
      assert.ok(furthest < 1e-5, `ONNX Runtime is ${furthest} away`)
      await task.close()
      rmSync(folder, { recursive: true })
    })
  }

  for (const sets of each) {
    test(`when behaviors of nobody fill a batch up then ${sets.join(' ')} learns as without them`, () => {
      // Steps in proportion to gradients, lest Adam make steps of rounding; and nothing at random.
      const calm = ['train.epsilon=1', 'train.unknownShare=0', 'model.dropout=0', 'train.accumulate=1']
      const [data, config] = [clickData(), clickConfig([...sets, ...calm])]
      const { training, parameters, tables, running, programs, allVariables, stateVariables } = ctrPrograms(
        ctrFeatures(data),
        config,
      )
      const rows = Int32Array.from({ length: 16 }, (_, i) => 2 * i)
      const plain = ctrBatch(data, rows, searchOf(config.model))
      const padded = paddedHistories(plain, 1)
      assert.ok(padded['owner'].data.length > plain['owner'].data.length)
      const learned = (inputs: typeof plain) => {
        const session = engine.open(programs, allVariables)
        for (const parameter of parameters) training.start(session, parameter.name, initialValues(parameter, 1))
        for (const table of tables) initializeTable(session, table, 0.1, 1)
        for (const { name, shape, start } of running) session.write(name, new Float32Array(shape[0]).fill(start))
        session.write('content', data.content!.vectors)
        const seed = { data: Int32Array.of(1, 2), shape: [2] }
        const loss = training.step(session, [{ inputs: { ...inputs, seed }, rows: rows.length }], 0, 0.01)
        const state = stateVariables.map(({ name }) => session.read(name))
        session.dispose()
        return [Float32Array.of(loss), ...state]
      }
      const [expected, actual] = [learned(plain), learned(padded)]
      const names = ['loss', ...stateVariables.map(({ name }) => name)]
      names.forEach((name, i) => {
        close(actual[i], Array.from(expected[i]), 1e-6, name)
      })
    })
  }

  test('when switches that start as nothing are added then the first predictions are those of the plain model', async () => {
    const first = async (sets: string[]) => {
      const task = openTask(engine, sets)
      const scores = task.predict(allRows)
      await task.close()
      return scores
    }
    assert.deepEqual(await first(['model.saTa=true']), await first([]))
    assert.notDeepEqual(await first(['model.cube=true']), await first([]))
  })

  test('when the target has no vector or the history is empty then learned defaults change just these rows', async () => {
    const data = clickData()
    const {
      item,
      behaviorItem: events,
      historyStart,
      historyEnd,
    } = inMemory(data, new Int32Array(0)).columns.impressions
    const predict = async (sets: string[]) => {
      const task = openTask(engine, ['model.name=content', 'model.simTier=false', ...sets])
      const result = task.predict(allRows)
      await task.close()
      return result
    }
    const scores = [await predict([]), await predict(['model.defaults=true'])]
    const lacks = (i: number) => data.content!.rowOf[i] === 0
    for (let row = 0; row < data.impressions.rows; row++) {
      const known = events.subarray(historyStart[row], historyEnd[row]).filter((i) => !lacks(i))
      assert.equal(scores[0][row] !== scores[1][row], lacks(item[row]) || known.length === 0, `row ${row}`)
    }
  })

  test('when the content branch learns alone first then the id branch stays as it began until it joins', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mim-click-'))
    const task = openTask(engine, ['train.makeEpochs=1'])
    const idsOf = () => task.logits(allRows)[0]
    const [before, content] = task.logits(allRows)
    for (let at = 0; at < task.stepsPerEpoch; at++) await takeStep(task, at, schedule)
    assert.deepEqual(idsOf(), before)
    assert.notDeepEqual(task.logits(allRows)[1], content)
    await takeStep(task, task.stepsPerEpoch, schedule)
    assert.notDeepEqual(idsOf(), before)
    await task.close()
    rmSync(folder, { recursive: true })
  })
})

test('when a search is hard then the latest behaviors of the category of the target are left, in their order', () => {
  const data = clickData()
  const { item, behaviorItem: events, historyStart, historyEnd } = inMemory(data, new Int32Array(0)).columns.impressions
  const { rowOf } = data.itemFeatures.find(({ name }) => name === 'category')!
  const rows = Int32Array.from({ length: data.impressions.rows }, (_, i) => i)
  const behaviorSearch = { kind: 'hard', topK: 2, feature: 'category' } as const
  const { owner, 'history.item': history } = ctrBatch(data, rows, behaviorSearch)
  for (const row of rows) {
    const all = [...events.subarray(historyStart[row], historyEnd[row])]
    const expected = all.filter((i) => rowOf[i] === rowOf[item[row]]).slice(-2)
    const found = [...history.data].filter((_, i) => owner.data[i] === row)
    assert.deepEqual(
      found,
      expected.map((i) => data.itemFeatures[0].rowOf[i]),
      `row ${row}`,
    )
  }
})

test('when a search is soft then the behaviors nearest to the target are left, in their order', () => {
  const data = clickData()
  const { item, behaviorItem: events, historyStart, historyEnd } = inMemory(data, new Int32Array(0)).columns.impressions
  const { vectors, width, rowOf } = data.content!
  const vector = (i: number) => Array.from(vectors.subarray(rowOf[i] * width, (rowOf[i] + 1) * width))
  const product = (a: number, b: number) => vector(a).reduce((sum, x, i) => sum + x * vector(b)[i], 0)
  const rows = Int32Array.from({ length: data.impressions.rows }, (_, i) => i)
  const behaviorSearch = searchOf({ name: 'sim-soft', behaviorSearch: { kind: 'none', topK: 3, feature: 'category' } })
  const { owner, 'history.item': history } = ctrBatch(data, rows, behaviorSearch)
  for (const row of rows) {
    const all = [...events.subarray(historyStart[row], historyEnd[row])]
    const ranked = all.map((i, at) => ({ at, score: product(i, item[row]) }))
    const places = ranked.sort((a, b) => b.score - a.score || b.at - a.at).slice(0, 3)
    const expected = places.map(({ at }) => at).sort((a, b) => a - b)
    const found = [...history.data].filter((_, i) => owner.data[i] === row)
    assert.deepEqual(
      found,
      expected.map((at) => data.itemFeatures[0].rowOf[all[at]]),
      `row ${row}`,
    )
  }
})
