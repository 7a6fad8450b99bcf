import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parseShard } from '../src/data/items/shard.js'
import { root } from './fixtures.js'

interface Job {
  spec: {
    completions: number
    completionMode: string
    template: { spec: { containers: { command: string[]; env: { name: string; value: string }[] }[] } }
  }
}

test('when Kubernetes starts the pods of the job then each takes a shard of its own', () => {
  const { spec } = parse(readFileSync(`${root}deploy/embed-job.yaml`, 'utf8')) as Job
  assert.equal(spec.completionMode, 'Indexed')
  const [{ command, env }] = spec.template.spec.containers
  const text = command[command.indexOf('--shard') + 1]
  const given = Object.fromEntries(env.map(({ name, value }) => [name, value]))
  const shards = Array.from({ length: spec.completions }, (_, i) =>
    parseShard(text, { ...given, JOB_COMPLETION_INDEX: String(i) }),
  )
  assert.deepEqual(
    shards,
    shards.map((_, index) => ({ index, count: spec.completions })),
  )
})

test('when Slurm starts the tasks of the array then each takes a shard of its own', () => {
  const script = readFileSync(`${root}deploy/embed.slurm`, 'utf8')
  const text = /--shard (\S+)/.exec(script)![1]
  const env = { SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '1' }
  const shards = ['1', '2', '3'].map((id) => parseShard(text, { ...env, SLURM_ARRAY_TASK_ID: id }))
  assert.deepEqual(
    shards.map(({ index }) => index),
    [0, 1, 2],
  )
})
