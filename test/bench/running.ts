/** `make bench` at the smallest size, in a folder that is removed after the tests of the file. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { root } from '../fixtures.js'
import type { Result } from './compare.js'

export const scratch = mkdtempSync(join(tmpdir(), 'mim-bench-test-'))
after(() => rmSync(scratch, { recursive: true }))

const out = join(scratch, 'bench.json')

export function bench(args: string[], env: Record<string, string> = {}) {
  const { MIM_PEER_PYTHON: _, ...clean } = process.env
  const main = join(root, 'dist/test/bench/main.js')
  const options = { encoding: 'utf8', env: { ...clean, ...env } } as const
  return spawnSync(process.execPath, [main, '--quick', '--out', out, ...args], options)
}

export const results = () => JSON.parse(readFileSync(out, 'utf8')) as Result[]
