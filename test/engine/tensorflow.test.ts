/** Our own TensorFlow operations against TensorFlow's, over several steps. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import type { Engine } from '../../src/engine/index.js'
import { loadKernels, loadTensorFlow } from '../../src/engine/tensorflow.js'
import { adamRows, constant, input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'

interface Size {
  rows: number
  width: number
  ids: number[][]
  l2?: number
}

const random = Random.of('kernels')
const below = (n: number, count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * n))

const sizes: Record<string, Size> = {
  'one row': { rows: 3, width: 4, ids: [[1]] },
  'no row': { rows: 3, width: 4, ids: [[]] },
  'a table of one row, its padding': { rows: 1, width: 2, ids: [[0, 0]] },
  'width 1 and repeated ids': { rows: 300, width: 1, ids: [below(300, 500), below(20, 500), below(300, 7)] },
  'width 7, padding and L2': { rows: 70_000, width: 7, l2: 0.01, ids: [below(9, 90), below(70_000, 3000)] },
  'ids of three bytes': { rows: 200_000, width: 33, ids: [below(200_000, 2000), [199_999, 0, 199_999, 65_536]] },
}

function stepped(engine: Engine, { rows, width, ids, l2 = 0 }: Size): Float32Array[] {
  const names = ['table', 'm', 'v']
  const variables = names.map((name) => ({ name, shape: [rows, width], dtype: 'float32', table: true }) as const)
  const attrs = { variable: 'table', m: 'm', v: 'v', beta1: 0.9, beta2: 0.999, l2 }
  const rates = { rate: constant(0.01, []), epsilon: constant(1e-8, []) }
  const step = adamRows(attrs, input('ids', [-1], 'int32'), input('gradients', [-1, width]), rates)
  const session = engine.open({ step: program({}, [step]) }, variables)
  const draw = Random.of('numbers')
  const normal = (count: number) => Float32Array.from({ length: count }, () => draw.normal())
  session.write('table', normal(rows * width).fill(0, 0, width))
  for (const some of ids) {
    session.run('step', {
      ids: { data: Int32Array.from(some), shape: [some.length] },
      gradients: { data: normal(some.length * width), shape: [some.length, width] },
    })
  }
  const state = names.map((name) => Float32Array.from(session.read(name)))
  session.dispose()
  return state
}

const [own, plain] = engines()

/** With our operations and without; none where the engine is missing, they are, or it is not the CPU's. */
function engines(): Engine[] {
  try {
    const both = [loadTensorFlow(), loadTensorFlow(false)]
    return both[0].device === 'cpu' && loadKernels() ? both : []
  } catch {
    return []
  }
}

const skip = own === undefined && 'the TensorFlow engine has no operations of ours here'

describe('own operations of TensorFlow', { skip }, () => {
  for (const [what, size] of Object.entries(sizes)) {
    test(`when lazy Adam gets ${what} then it leaves what TensorFlow's own operations leave`, () => {
      const [fast, right] = [own, plain].map((engine) => stepped(engine, size))
      for (const [i, values] of right.entries()) assert.deepEqual(fast[i], values)
    })
  }

  test('when an id is outside of the table then the step is refused', () => {
    assert.throws(() => stepped(own, { rows: 5, width: 2, ids: [[1, 5]] }), /ids\[1\] = 5 is not in \[0, 5\)/)
  })
})
