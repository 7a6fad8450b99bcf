import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bench, results, scratch } from '../bench/running.js'

test('when every kind of workload runs with a peer then pairs are compared and the ratio is ours over theirs', () => {
  // The peer is a script that answers as the real one does, with figures that are easy to recognize.
  const calls = join(scratch, 'calls')
  const script = join(scratch, 'peer.cjs')
  const figures = {
    peer: 'fake 1',
    samples_per_s: 2,
    pairs_per_s: 2,
    images_per_s: 2,
    encoder_only_images_per_s: 2,
    max_rss_mb: 2,
  }
  writeFileSync(
    script,
    `require('node:fs').appendFileSync(${JSON.stringify(calls)}, process.argv.slice(2).join(' ') + '\\n')
    console.log(${JSON.stringify(JSON.stringify(figures))})`,
  )
  const peer = { MIM_PEER_PYTHON: process.execPath, MIM_PEER_SCRIPT: script }
  const { status, stderr } = bench(
    ['--threads', '1', 'ctr', 'ctr-ragged', 'clip', 'embed', 'start', '--pairs', '1'],
    peer,
  )
  assert.equal(status, 0, stderr)
  const names = ['ctr', 'ctr-memory', 'ctr-ragged', 'clip', 'embed', 'embed-encoder', 'embed-share', 'start']
  assert.deepEqual(
    results().map(({ workload }) => workload),
    names,
  )
  for (const { workload, value, peer, peer_value, ratio, load } of results()) {
    assert.ok(value > 0 && load! >= 0, workload)
    if (workload === 'start') continue
    if (workload === 'embed-share') {
      assert.equal(peer, null)
      continue
    }
    assert.equal(peer, 'fake 1')
    assert.equal(peer_value, 2)
    assert.equal(ratio, workload === 'ctr-memory' ? 2 / value : value / 2)
  }
  const what = readFileSync(calls, 'utf8').trim().split('\n')
  assert.deepEqual(
    what.map((line) => line.split(' ')[0]),
    ['ctr', 'ctr', 'clip', 'embed'],
  )
  for (const line of what) assert.match(line, / --threads 1$/)
})

test('when there is no peer then our figures are printed alone, with the reason', () => {
  const { status, stderr } = bench(['--pairs', '1', 'embed'])
  assert.equal(status, 0, stderr)
  assert.match(stderr, /MIM_PEER_PYTHON/)
  assert.deepEqual(
    results().map(({ peer, ratio }) => [peer, ratio]),
    [
      [null, null],
      [null, null],
      [null, null],
    ],
  )
})

test('when memory and our other engine are requested then one run measures growth and our engines are compared', () => {
  const { status, stderr } = bench(['ctr-ragged-growth', 'wasm-ctr', '--pairs', '2'])
  assert.equal(status, 0, stderr)
  const [growth, wasm] = results()
  assert.deepEqual([growth.unit, growth.peer], ['%', null])
  assert.ok(Math.abs(growth.value) < 50, `${growth.value}`)
  assert.equal(wasm.peer, 'mim on auto')
  assert.ok(wasm.ratio! > 0)
})
