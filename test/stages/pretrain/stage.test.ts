import assert from 'node:assert/strict'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../../src/config/load.js'
import { pretrainConfig } from '../../../src/config/pretrain.js'
import { pretrain } from '../../../src/stages/pretrain/stage.js'
import { Run } from '../../../src/train/run.js'
import { workplace } from '../../e2e/stages.js'

const folder = await workplace()
const shape = { imageSize: 16, width: 16, layers: 1, heads: 2, textLength: 8, vocabulary: 514, projection: 16 }

const config = loadConfig(pretrainConfig, {
  flags: {
    'data.root': join(folder, 'tiny'),
    'data.cache': join(folder, 'cache'),
    model: shape,
    'train.batch': 16,
    'train.epochs': 1,
    'train.warmup': 0,
    'train.learningRate': 1e30,
    'train.workers': 2,
    engine: 'wasm',
  },
})

const skip = !existsSync('/proc/self/fd') && 'needs /proc'

test('when pretraining fails half-way then it leaves no thread and no open file behind', { skip }, async () => {
  const failing = async (name: string) => {
    const out = join(folder, name)
    await assert.rejects(
      Run.with({ out, stage: 'pretrain', config }, (run) => pretrain(config, run)),
      { id: 'diverged' },
    )
    const files = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)]
      } catch {
        return []
      }
    })
    return { threads: readdirSync('/proc/self/task').length, files: files.filter((file) => file.includes('/cache/')) }
  }
  // The first run starts what the engine keeps for the whole process.
  const first = await failing('first')
  const third = await failing('second').then(() => failing('third'))
  assert.deepEqual([first.files, third.files], [[], []])
  assert.ok(third.threads <= first.threads, `${third.threads} threads, ${first.threads} after the first run`)
})
