/** Steps on rows of tables against the plain formulas. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine, VariableSpec } from '../../src/engine/index.js'
import { adagradRows, adamRows, constant, input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'
import { close, values } from './check.js'

const [rows, width] = [90, 3]
const [beta1, beta2, rate, epsilon, l2] = [0.9, 0.99, 0.1, 1e-3, 0.05]
const idLists: Record<string, number[]> = {
  'one id': [4],
  'nothing but padding': [0, 0],
  'repeated ids and padding': [3, 0, 7, 3, 3, 89, 0],
  'more ids than are worked on at once': Array.from({ length: 130 }, (_, i) => (i * 37) % rows),
}

type State = Record<'table' | 'm' | 'v' | 'squares' | 'means', number[]>
const widths = { table: width, m: width, v: width, squares: width, means: 1 }

/** Those of the padding row start as 0, and nothing ever adds to them. */
const moments = (salt: number, positive = false) => values([rows * width], salt, positive).fill(0, 0, width)

const first: State = {
  table: values([rows * width], 1),
  m: moments(2),
  v: moments(3, true),
  squares: values([rows * width], 4, true),
  means: values([rows], 5, true),
}

type Rule = (state: State, at: number, gradient: number[], id: number) => void

const rules: Record<string, Rule> = {
  adam({ table, m, v }, at, gradient) {
    gradient.forEach((g, i) => {
      m[at + i] = beta1 * m[at + i] + (1 - beta1) * g
      v[at + i] = beta2 * v[at + i] + (1 - beta2) * g * g
      table[at + i] -= (rate * m[at + i]) / (Math.sqrt(v[at + i]) + epsilon)
    })
  },
  adagrad({ table, squares }, at, gradient) {
    gradient.forEach((g, i) => {
      squares[at + i] += g * g
      table[at + i] -= (rate * g) / (Math.sqrt(squares[at + i]) + epsilon)
    })
  },
  'row-wise adagrad'({ table, means }, at, gradient, id) {
    means[id] += gradient.reduce((sum, g) => sum + g * g, 0) / width
    gradient.forEach((g, i) => {
      table[at + i] -= (rate * g) / (Math.sqrt(means[id]) + epsilon)
    })
  },
}

/** The state after one step by a rule: equal ids summed, L2 added once, padding left alone. */
function expected(rule: Rule, ids: number[], gradients: number[]): State {
  const state = Object.fromEntries(Object.entries(first).map(([name, x]) => [name, [...x.map(Math.fround)]])) as State
  for (const id of new Set(ids.filter((id) => id !== 0))) {
    const gradient = Array.from({ length: width }, (_, i) =>
      ids.reduce(
        (sum, other, j) => sum + (other === id ? gradients[j * width + i] : 0),
        l2 * state.table[id * width + i],
      ),
    )
    rule(state, id * width, gradient, id)
  }
  return state
}

function effect(name: string) {
  const ids = input('ids', [-1], 'int32')
  const gradients = input('gradients', [-1, width])
  const step = { rate: constant(rate, []), epsilon: constant(epsilon, []) }
  if (name === 'adam') return adamRows({ variable: 'table', m: 'm', v: 'v', beta1, beta2, l2 }, ids, gradients, step)
  const rowwise = name !== 'adagrad'
  const attrs = { variable: 'table', accumulator: rowwise ? 'means' : 'squares', epsilon, rowwise, l2 }
  return adagradRows(attrs, ids, gradients, step.rate)
}

function stepped(engine: Engine, name: string, ids: number[], gradients: number[]): State {
  const names = Object.keys(first) as (keyof State)[]
  const variables = names.map(
    (name): VariableSpec => ({ name, shape: [rows, widths[name]], dtype: 'float32', table: true }),
  )
  const session = engine.open({ step: program({}, [effect(name)]) }, variables)
  for (const name of names) session.write(name, Float32Array.from(first[name]))
  session.run('step', {
    ids: { data: Int32Array.from(ids), shape: [ids.length] },
    gradients: { data: Float32Array.from(gradients), shape: [ids.length, width] },
  })
  const state = Object.fromEntries(names.map((name) => [name, Array.from(session.read(name))])) as State
  session.dispose()
  return state
}

await onEachEngine('updates of tables', (engine) => {
  for (const [name, rule] of Object.entries(rules)) {
    for (const [what, ids] of Object.entries(idLists)) {
      test(`when ${name} gets ${what} then rows and moments are those of the formula`, () => {
        const gradients = values([ids.length * width], 6)
        const [actual, right] = [stepped(engine, name, ids, gradients), expected(rule, ids, gradients)]
        for (const key of Object.keys(right) as (keyof State)[]) close(actual[key], right[key], 3e-6, key)
        assert.deepEqual(actual.table.slice(0, width), first.table.slice(0, width).map(Math.fround))
      })
    }
  }
})
