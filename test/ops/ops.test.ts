import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import * as op from '../../src/ops/index.js'
import { exportOnnx } from '../../src/ops/onnx/index.js'
import { program } from '../../src/ops/program.js'
import type { OpName } from '../../src/ops/tensor.js'
import { openModel } from '../../src/runtime/model.js'
import { onEachEngine } from '../engines.js'
import { elementwise } from './cases/elementwise.js'
import { fused } from './cases/fused.js'
import { matrices } from './cases/matrix.js'
import { shapes } from './cases/shape.js'
import { check, expectation, feeds, usedInputs, within } from './check.js'

const cases = [...elementwise, ...matrices, ...shapes, ...fused]

await onEachEngine('operations', (engine) => {
  for (const one of cases) {
    test(`${one.name}: value and gradient`, () => check(engine, one, false))
  }
  for (const one of cases) {
    const [first] = one.inputs
    if (one.inputs.length > 2 || first.shape.length < 2 || one.ops.includes('concat') || one.ops.includes('pad'))
      continue
    if (one.name.startsWith('reduce')) continue
    test(`${one.name}: rows known only at run time`, () => check(engine, one, true))
  }
})

/** Operations that only training has. */
const trainingOnly: OpName[] = ['crossEntropy']

describe('operations (onnx)', () => {
  for (const one of cases.filter((c) => !c.ops.some((name) => trainingOnly.includes(name)))) {
    test(`${one.name}: value`, async () => {
      const { nodes, data, fed } = feeds(one, true)
      const path = join(mkdtempSync(join(tmpdir(), 'mim-onnx-')), 'model.onnx')
      exportOnnx(path, program({ y: one.build(...nodes) }), () => new Float32Array())
      const model = await openModel(path, { provider: 'cpu' }, () => {})
      const { shape, value } = expectation(one, data)
      const { y } = await model.run(
        Object.fromEntries(Object.entries(fed).filter(([name]) => usedInputs(one, nodes).has(name))),
      )
      assert.deepEqual([...y.shape], shape)
      within(y.data, value, 'value')
      await model.close()
      rmSync(dirname(path), { recursive: true })
    })
  }
})

describe('operations', () => {
  test('every operation is checked here or, where it has to do with variables or order, in a test of its own', () => {
    const state: OpName[] = [
      'input',
      'variable',
      'lookup',
      'uniform',
      'assign',
      'assignRows',
      'emaUpdate',
      'adam',
      'adagrad',
      'sgd',
      'adamRows',
      'adagradRows',
      'after',
    ]
    const covered = new Set([...cases.flatMap((c) => c.ops), ...state])
    const all: Record<OpName, true> = {
      constant: true,
      input: true,
      variable: true,
      lookup: true,
      neg: true,
      exp: true,
      log: true,
      sqrt: true,
      rsqrt: true,
      floor: true,
      cast: true,
      activation: true,
      activationGrad: true,
      add: true,
      sub: true,
      mul: true,
      div: true,
      maximum: true,
      minimum: true,
      greater: true,
      greaterEqual: true,
      equal: true,
      logicalAnd: true,
      logicalNot: true,
      select: true,
      matmul: true,
      sum: true,
      mean: true,
      max: true,
      argMax: true,
      count: true,
      reshape: true,
      reshapeLike: true,
      broadcastLike: true,
      transpose: true,
      concat: true,
      slice: true,
      pad: true,
      gather: true,
      segmentSum: true,
      segmentMax: true,
      oneHot: true,
      range: true,
      softmax: true,
      softmaxGrad: true,
      layerNorm: true,
      layerNormGrad: true,
      crossEntropy: true,
      uniform: true,
      stopGradient: true,
      block: true,
      after: true,
      part: true,
      assign: true,
      assignRows: true,
      emaUpdate: true,
      adam: true,
      adagrad: true,
      sgd: true,
      adamRows: true,
      adagradRows: true,
    }
    assert.deepEqual(
      Object.keys(all).filter((name) => !covered.has(name as OpName)),
      [],
    )
  })

  test('when shapes do not fit then the error names both operands', () => {
    const a = op.input('a', [2, 3])
    const b = op.input('b', [4, 5])
    assert.throws(() => op.matmul(a, b), /matmul: shapes do not fit: input#\d+\[2,3\] and input#\d+\[4,5\]/)
    assert.throws(() => op.add(a, b), /add: shapes do not broadcast/)
  })
})
