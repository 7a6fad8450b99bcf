/** Runs with files that were spoilt, inputs that got lost, and weights that became NaN. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { UserError } from '../../src/base/errors.js'
import type { Engine } from '../../src/engine/index.js'
import { inPrecision } from '../../src/engine/precision.js'
import { requireFinite } from '../../src/engine/state.js'
import { loadMined } from '../../src/stages/sft/mining.js'
import { train } from '../../src/train/loop.js'
import { Run } from '../../src/train/run.js'
import type { LoopOptions, TrainingTask } from '../../src/train/task.js'
import { assertRefused } from '../errors/refused.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const at = (...names: string[]) => join(folder, ...names)

/** Its weight is the sum of the numbers of the steps; NaN from step `breaks` on, with a loss that is finite. */
class Summing implements TrainingTask<number> {
  private weight = 0

  constructor(
    private readonly loses = Number.POSITIVE_INFINITY,
    private readonly breaks = Number.POSITIVE_INFINITY,
  ) {}

  batches = {
    at: async (step: number) => {
      if (step < this.loses) return step + 1
      throw new UserError({ id: 'planted', where: 'items.parquet', what: 'no such file' })
    },
  }

  step(batch: number) {
    this.weight = batch > this.breaks ? Number.NaN : this.weight + batch
    return { loss: 1, samples: 1 }
  }

  async evaluate(): Promise<Record<string, number>> {
    return { valid_auc: this.weight, valid_logloss: -this.weight }
  }

  private write(path: string): void {
    writeFileSync(path, `${requireFinite('weight', Float32Array.of(this.weight))[0]}`)
  }

  saveState = (out: string) => this.write(join(out, 'weight'))
  saveModel = (out: string) => this.write(join(out, 'weight'))

  loadState(out: string): void {
    this.weight = Number(readFileSync(join(out, 'weight'), 'utf8'))
  }

  liveTensors = () => 0
}

const plain: LoopOptions = {
  ...{ learningRate: 0.1, schedule: 'cosine', warmup: 0, steps: 8, logEvery: 1, evaluateEvery: 4, saveEvery: 2 },
  ...{ monitor: 'valid_auc', patience: 0, maxTime: null },
}

function trained(out: string, task = new Summing(), options: Partial<LoopOptions> = {}) {
  return Run.with({ out, stage: 'test', config: {}, resume: true }, async (run) => {
    await train(task, { ...plain, ...options }, run)
    const steps = run.history.rows.map(({ step }) => step)
    return { steps, results: await run.finish({}), model: readFileSync(join(out, 'checkpoint/weight'), 'utf8') }
  })
}

const stepOf = (out: string) => JSON.parse(readFileSync(join(out, 'last/trainer_state.json'), 'utf8')).step

test('when inputs get lost during a run then the steps taken are saved, and the run continues when they are back', async () => {
  const out = at('lost')
  await assertRefused(
    () => trained(out, new Summing(3), { saveEvery: 100 }),
    'planted',
    /^items\.parquet: no such file$/,
  )
  assert.equal(stepOf(out), 3)
  const { model, steps } = await trained(out)
  assert.deepEqual([model, steps], ['36', [1, 2, 3, 4, 5, 6, 7, 8]])
})

test('when weights become NaN then neither the state nor the model saved before is replaced', async () => {
  const out = at('diverged')
  const run = () => trained(out, new Summing(undefined, 5))
  await assertRefused(
    run,
    'diverged',
    /^training diverged: number 1 of 'weight' is NaN; what was saved before is kept; /,
  )
  assert.equal(stepOf(out), 4)
  assert.deepEqual(
    [readFileSync(join(out, 'last/weight'), 'utf8'), readFileSync(join(out, 'checkpoint/weight'), 'utf8')],
    ['10', '10'],
  )
  // The first evaluation, which has nothing to be compared with, writes no such model either.
  await assertRefused(() => trained(at('first'), new Summing(undefined, 0), { evaluateEvery: 1 }), 'diverged', /NaN/)
  assert.equal(existsSync(at('first', 'checkpoint')), false)
})

/** A run that was killed after step 4, with another content of a file. */
async function killed(name: string, file: string, content: string | Buffer): Promise<string> {
  const [whole, out] = [at('killed'), at(name)]
  if (!existsSync(whole)) {
    await assert.rejects(trained(whole, new Summing(4), { saveEvery: 2 }), { id: 'planted' })
    rmSync(join(whole, 'metrics.json'), { force: true })
  }
  cpSync(whole, out, { recursive: true })
  writeFileSync(join(out, file), content)
  return out
}

test('when the history of a run is spoilt then it resumes without the rows so far, and a warning says so', async () => {
  for (const [i, content] of ['', 'PAR1', Buffer.alloc(3000), Buffer.from('PAR1xxxxxxxxxxxxPAR1')].entries()) {
    const out = await killed(`history-${i}`, 'history.parquet', content)
    const { model, steps, results } = await trained(out)
    assert.deepEqual([model, steps], ['36', [5, 6, 7, 8]])
    const [{ id, where, what }] = results['warnings'] as { id: string; where: string; what: string }[]
    assert.deepEqual([id, where], ['history-broken', join(out, 'history.parquet')])
    assert.match(what, /^it cannot be read: .*; the run continues without the history of its first 4 steps$/)
  }
})

test('when the log of a run is spoilt then it resumes, with the warnings that can be read', async () => {
  const warning = { id: 'leak', what: 'a column is equal to the label' }
  const lines = [
    JSON.stringify({ warning }),
    '{"warning": 3}',
    '{"warning": {"id": 3}}',
    '{"warning":null}',
    '\u0000'.repeat(1000),
    JSON.stringify({ warning }),
    '{"warning": {"id": "cu',
  ]
  const { model, results } = await trained(await killed('log', 'log.jsonl', lines.join('\n')))
  assert.deepEqual([model, results['warnings']], ['36', [warning]])
})

test('when state, results or configuration of a run are spoilt then a line says how to get them back', async () => {
  const cases: [string, string | Buffer, RegExp][] = [
    [
      'last/trainer_state.json',
      '{"step": 4',
      /last\/trainer_state\.json: the file is cut short; .*restore the folder last\/ /,
    ],
    ['last/trainer_state.json', 'null', /trainer_state\.json: null: /],
    ['last/trainer_state.json', '{}', /trainer_state\.json: step: /],
    ['last/trainer_state.json', '{"step": "four"}', /trainer_state\.json: step: /],
    ['last/trainer_state.json', '{"step": -1}', /trainer_state\.json: step: /],
    ['last/trainer_state.json', Buffer.alloc(500), /trainer_state\.json: 500 bytes of zeros/],
    ['metrics.json', '{}', /metrics\.json: .*there are no results in it; remove it and continue with --resume/],
    ['metrics.json', '[]', /metrics\.json: a list: /],
    ['metrics.json', '', /metrics\.json: the file is empty/],
    ['config.yaml', '', /config\.yaml: the file is empty; write it with mim config /],
    ['config.yaml', '- 3', /config\.yaml: a list instead of a mapping/],
    ['config.yaml', 'a: [', /config\.yaml: /],
  ]
  for (const [i, [file, content, message]] of cases.entries()) {
    const out = await killed(`case-${i}`, file, content)
    await assertRefused(() => trained(out), 'file-broken', message)
    assert.ok(existsSync(join(out, 'last/weight')), 'nothing is removed')
  }
})

test('when the measured precision or the mined neighbors of a run are spoilt then a line says so', async () => {
  const file = at('precision.json')
  const engine = { name: 'wasm' } as Engine
  for (const content of ['null', '{"precision": "fp8"}', '']) {
    writeFileSync(file, content)
    await assertRefused(
      () => inPrecision(engine, 'auto', file, () => {}),
      'file-broken',
      /precision\.json: .*write \{"precision": "fp32"\}/,
    )
  }
  for (const content of ['{}', '{"items": [5], "offsets": [0, 1]}', '{"items": [0], "offsets": [1, 0, 1]}']) {
    writeFileSync(at('mined.json'), content)
    await assertRefused(() => loadMined(folder), 'file-broken', /mined\.json: /)
  }
})
