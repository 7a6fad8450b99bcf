import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MimConfig } from '../../src/checkpoint/folder.js'
import { withProvenance } from '../../src/checkpoint/provenance.js'

const mim: MimConfig = {}
const config = { init: null, seed: 1, engine: 'wasm', train: { maxTime: null as string | null, epochs: 3 } }
const hashOf = (options: typeof config) => withProvenance({ mim }, 'pretrain', options, []).mim.provenance![0].config

test('when a run is resumed with another time limit or engine then the provenance of its checkpoint is the same', () => {
  const limited = { ...config, engine: 'tensorflow', train: { ...config.train, maxTime: '1h' } }
  assert.equal(hashOf(limited), hashOf(config))
  assert.notEqual(hashOf({ ...config, seed: 2 }), hashOf(config))
  assert.notEqual(hashOf({ ...config, train: { ...config.train, epochs: 4 } }), hashOf(config))
})
