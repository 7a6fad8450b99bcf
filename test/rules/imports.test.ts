import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.js'
import { temporaryFolder } from '../sample/folders.js'

/** Checks sources of these texts, by path, against the rules of imports. */
async function checked(files: Record<string, string>) {
  const folder = await temporaryFolder()
  // Packages that sources import are looked for where they are.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  const script = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const args = [script, '--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'err', 'src']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

const errors = { 'src/base/errors.ts': 'export const id = 1\n' }
const leaf = 'export const x = 1\n'
const imports = (name: string) => `import '${name}'\nexport const x = 1\n`

test('when every import points down then the rules accept it', async () => {
  const { status, output } = await checked({ ...errors, 'src/stages/ctr/stage.ts': imports('../../base/errors.js') })
  assert.equal(status, 0, output)
})

test('when imports point up, to another stage or in a circle, or a room has no place, then the rules refuse each', async () => {
  const planted = {
    // A lower room imports an upper one.
    'src/data/order.ts': imports('../stages/order.js'),
    'src/stages/order.ts': leaf,
    // Only a type is imported upward.
    'src/base/x.ts': "import type { T } from '../ops/t.js'\nexport type X = T\n",
    'src/ops/t.ts': 'export type T = 1\n',
    // Two files of a room import each other.
    'src/nn/a.ts': imports('./b.js'),
    'src/nn/b.ts': imports('./a.js'),
    // A stage imports another.
    'src/stages/ctr/a.ts': imports('../sft/b.js'),
    'src/stages/sft/b.ts': leaf,
    // A room that is on no floor.
    'src/utils/a.ts': imports('../base/errors.js'),
  }
  const { status, output } = await checked({ ...errors, ...planted })
  assert.notEqual(status, 0)
  for (const line of [
    'data-imports-down-only: src/data/order.ts → src/stages/order.ts',
    'base-imports-down-only: src/base/x.ts → src/ops/t.ts',
    'no-circles: src/nn/a.ts',
    'stages-apart: src/stages/ctr/a.ts → src/stages/sft/b.ts',
    'room-on-a-floor: src/utils/a.ts → src/base/errors.ts',
  ]) {
    assert.ok(output.includes(line), `${line}\n${output}`)
  }
})
