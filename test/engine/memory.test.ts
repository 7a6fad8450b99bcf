import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEngine } from '../../src/engine/index.js'
import { requireSessionMemory } from '../../src/engine/memory.js'
import { add, input, matmul, sum } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'

const engine = await openEngine({ engine: 'wasm', device: 'cpu' }, () => {})

test('when the variables of a session do not fit then it is refused before it takes memory', () => {
  const table = { name: 'table', shape: [2 ** 31, 4096], dtype: 'float32', table: true } as const
  assert.throws(() => engine.open({}, [table]), {
    id: 'memory',
    message: /^the model with its optimizer, and a step of it: needs 35 TB, .* are free; use a smaller model or batch/,
  })
})

test('when the products of a step do not fit then it is refused, and those that are dropped in time count once', () => {
  const [a, b] = [input('a', [2 ** 20, 8]), input('b', [8, 2 ** 20])]
  const one = sum(matmul(a, b)) // 2^40 numbers
  assert.throws(() => requireSessionMemory({ step: program({ one }) }, []), { id: 'memory', message: /needs 4\.4 TB/ })
  const other = sum(matmul(add(a, one), b))
  assert.throws(() => requireSessionMemory({ step: program({ other }) }, []), { message: /needs 4\.4 TB/ })
  const both = add(one, sum(matmul(matmul(a, b), matmul(b, a, { transposeA: true, transposeB: true }))))
  assert.throws(() => requireSessionMemory({ step: program({ both }) }, []), { message: /needs 1[0-9] TB/ })
  assert.throws(() => requireSessionMemory({ step: program({ one }) }, [], 'bf16'), { message: /needs 2\.2 TB/ })
  // Sizes that are known only when the program runs do not count.
  const open = sum(matmul(input('a', [-1, 8]), input('b', [8, -1])))
  requireSessionMemory({ step: program({ open }) }, [])
})

test('when a tensor is larger than the heap of WebAssembly then the error says so instead of writing elsewhere', () => {
  const session = engine.open({ add: program({ y: sum(add(input('x', [-1, 1]), input('z', [1, -1]))) }) }, [])
  const [x, z] = [
    { data: new Float32Array(40_000), shape: [40_000, 1] },
    { data: new Float32Array(40_000), shape: [1, 40_000] },
  ]
  assert.throws(() => session.run('add', { x, z }), {
    id: 'memory',
    message:
      /^the wasm engine has no memory left for a tensor of 6\.4 GB; WebAssembly has 4\.3 GB at most; use --engine/,
  })
  session.dispose()
})
