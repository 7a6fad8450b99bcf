import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../sample/folders.js'
import { addons, copySetUp, cutInHalf, whyNoAddons } from './setUp.js'

const skip = whyNoAddons() ?? false

test('when all addons are cut in half then set-up does not call them ready, and installs them again', {
  skip,
}, async () => {
  const { target, cache, run } = copySetUp(await temporaryFolder())
  for (const name of addons) cutInHalf(join(target, name))
  writeFileSync(join(cache, 'tensorflow.999999999.part'), 'of a killed download')
  writeFileSync(join(target, 'tfjs_binding.node.part'), 'of an older version')
  writeFileSync(join(cache, `mine.${process.pid}.part`), 'of a running process')
  const printed = await run()
  for (const name of addons) assert.match(printed, new RegExp(`${name} does not work: .*; installing it again`))
  assert.match(printed, /ready: TensorFlow [\d.]+ on \w+\n$/)
  assert.deepEqual(readdirSync(target).sort(), [...addons, 'source.json'].sort())
  assert.deepEqual(
    readdirSync(cache).filter((name) => name.endsWith('.part')),
    [`mine.${process.pid}.part`],
  )
  const { sha256 } = JSON.parse(readFileSync(join(target, 'source.json'), 'utf8'))
  assert.deepEqual(Object.keys(sha256).sort(), [...addons].sort())
})

test('when nothing can be repaired then an addon that would end mim is removed', { skip }, async () => {
  const { target, run } = copySetUp(await temporaryFolder())
  const away = { MIM_CACHE: join(await temporaryFolder(), 'empty'), CXX: 'no-compiler' }
  cutInHalf(join(target, 'mim_kernels.node'))
  cutInHalf(join(target, 'mim_startup.node'))
  assert.match(await run(away), /compiler 'no-compiler' was not found; .*\n.*ready: TensorFlow/)
  assert.deepEqual(
    addons.filter((name) => existsSync(join(target, name))),
    ['tfjs_binding.node'],
  )
  cutInHalf(join(target, 'tfjs_binding.node'))
  const printed = await run(away)
  assert.doesNotMatch(printed, /ready/)
  assert.match(printed, /tfjs_binding\.node does not work and was removed\n.*Until then mim uses the wasm engine/)
  assert.ok(!existsSync(join(target, 'tfjs_binding.node')))
})
