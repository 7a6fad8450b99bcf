import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Engine } from '../../src/engine/index.js'
import { initialValues } from '../../src/engine/state.js'
import { selfAttention } from '../../src/nn/attention.js'
import { Parameters } from '../../src/nn/parameters.js'
import { gradients } from '../../src/ops/gradients.js'
import { constant, input, mean, sliceAxis, square, type Tensor } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const names = { query: 'q', key: 'k', value: 'v', output: 'o' }
const [length, width] = [5, 12]

interface Case {
  rows: number
  heads: number
  /** Positions that are wanted. */
  from: number
  count: number
  /** Is the second position hidden from all? */
  masked: boolean
}

/** What positions hear, and the gradients of its mean square, computed for them alone or cut out of that of all. */
function heard(engine: Engine, { rows, heads, from, count, masked }: Case, alone: boolean) {
  const p = new Parameters()
  const x = input('x', [-1, length, width])
  const hidden = Float32Array.from({ length }, (_, i) => (i === 1 ? 1e9 : 0))
  const mask = masked ? constant(hidden, [1, 1, 1, length]) : undefined
  const cut = (x: Tensor) => sliceAxis(x, 1, from, from + count)
  const y = alone
    ? selfAttention(p, x, heads, names, { mask, own: cut(x) })
    : cut(selfAttention(p, x, heads, names, { mask }))
  const parameters = p.list()
  const wanted = [x, ...parameters.map(({ tensor }) => tensor)]
  const found = gradients(mean(square(y)), wanted)
  const outputs = Object.fromEntries(found.map((g, i) => [['x', ...parameters.map(({ name }) => name)][i], g]))
  const variables = parameters.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }))
  const session = engine.open({ heard: program({ y, ...outputs }) }, variables)
  for (const one of parameters) session.write(one.name, initialValues({ ...one, init: { std: 0.4 } }, 1))
  const random = Random.of('x')
  const data = Float32Array.from({ length: rows * length * width }, () => random.normal())
  const result = session.run('heard', { x: { data, shape: [rows, length, width] } })
  session.dispose()
  return result
}

const cases: Case[] = [
  { rows: 3, heads: 3, from: 0, count: 1, masked: false },
  { rows: 2, heads: 4, from: 4, count: 1, masked: true },
  { rows: 1, heads: 1, from: 2, count: 2, masked: true },
]

await onEachEngine('attention', (engine) => {
  for (const one of cases) {
    const { rows, heads, count, masked } = one
    test(`when ${count} of ${length} positions are wanted of ${rows} rows, ${heads} heads${masked ? ', masked' : ''}, then values and gradients are those of all`, () => {
      const [alone, all] = [heard(engine, one, true), heard(engine, one, false)]
      assert.deepEqual(Object.keys(alone), Object.keys(all))
      for (const [name, { data, shape }] of Object.entries(all)) {
        assert.deepEqual([...alone[name].shape], [...shape], name)
        // The bias of the keys changes no softmax: its gradient is nothing but rounding.
        const size = name === 'k.bias' ? 1 : Math.hypot(...data)
        const gap = Math.hypot(...Array.from(data, (v, i) => v - alone[name].data[i]))
        assert.ok(size > 0 && gap <= 2e-6 * size, `${name}: ${gap} of ${size}`)
      }
    })
  }
})
