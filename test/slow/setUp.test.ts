import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { addons, copySetUp, cutInHalf, whyNoAddons } from '../commands/setUp.js'
import { temporaryFolder } from '../sample/folders.js'

const skip = whyNoAddons() ?? false
const { target, cache, run } = skip ? ({} as ReturnType<typeof copySetUp>) : copySetUp(await temporaryFolder())

/** Without hashes, as older versions installed addons. */
function forgetHashes(): void {
  const { sha256: _, ...source } = JSON.parse(readFileSync(join(target, 'source.json'), 'utf8'))
  writeFileSync(join(target, 'source.json'), JSON.stringify(source))
}

const ways: Record<string, (file: string) => void> = {
  'cut in half': cutInHalf,
  empty: (file) => truncateSync(file, 0),
  'a text': (file) => writeFileSync(file, '<html>Sign in</html>'),
  'changed in one byte': (file) => {
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] ^= 1
    writeFileSync(file, bytes)
  },
  'full of zeros': (file) => {
    writeFileSync(file, readFileSync(file).fill(0, 64))
    forgetHashes()
  },
  'cut so that only loading shows it': (file) => {
    // No table of sections at the end.
    const header = readFileSync(file).fill(0, 0x28, 0x30).fill(0, 0x3a, 0x40)
    writeFileSync(file, header.subarray(0, header.length / 2))
    forgetHashes()
  },
}

for (const name of addons) {
  for (const [way, spoil] of Object.entries(ways)) {
    test(`when ${name} is ${way} then it is named and installed again`, { skip }, async () => {
      spoil(join(target, name))
      const printed = await run()
      assert.match(printed, new RegExp(`${name} does not work: `))
      if (way.startsWith('cut so')) assert.match(printed, /it was ended by SIG/)
      assert.match(printed, /ready: TensorFlow [\d.]+ on \w+\n$/)
      assert.match(await run(), /^setup-tensorflow: ready: [^\n]* \(already installed\)\n$/)
    })
  }
}

test('when the compiled files in the cache are damaged too then they are compiled again', { skip }, async () => {
  for (const name of addons) cutInHalf(join(target, name))
  for (const name of readdirSync(cache).filter((name) => name.endsWith('.node'))) cutInHalf(join(cache, name))
  const printed = await run()
  for (const name of addons) assert.match(printed, new RegExp(`compiling ${name}`))
  assert.match(printed, /ready: TensorFlow/)
})

test('when a compiled file in the cache has other content than was compiled then it is compiled again', {
  skip,
}, async () => {
  const name = addons[0]
  for (const file of readdirSync(cache).filter((file) => file.endsWith(`${name}`))) {
    writeFileSync(join(cache, file), readFileSync(join(cache, file)).fill(0, 64, 4096))
  }
  rmSync(join(target, name))
  cutInHalf(join(target, 'tfjs_binding.node'))
  assert.match(await run(), new RegExp(`compiling ${name}(.|\\n)*ready: TensorFlow`))
})

test('when the libraries of MIM_TENSORFLOW_DIR are damaged then set-up says so and is not ready', {
  skip,
}, async () => {
  const libraries = await temporaryFolder()
  writeFileSync(join(libraries, 'libtensorflow_cc.so.2'), 'half')
  cutInHalf(join(target, 'tfjs_binding.node'))
  const printed = await run({ MIM_TENSORFLOW_DIR: libraries })
  assert.match(printed, /MIM_TENSORFLOW_DIR: libtensorflow_cc\.so\.2, libtensorflow_framework\.so\.2 in .* damaged/)
  assert.doesNotMatch(printed, /ready/)
})

test('when libraries in the cache are damaged then they are fetched again', { skip }, async () => {
  const libraries = join(cache, `tensorflow-2.21.0-cpu-${process.arch}/tensorflow`)
  mkdirSync(libraries, { recursive: true })
  writeFileSync(join(libraries, 'libtensorflow_cc.so.2'), 'half')
  cutInHalf(join(target, 'mim_startup.node'))
  // Without Python, which would fetch them.
  const printed = await run({ MIM_TENSORFLOW_DIR: '', MIM_TENSORFLOW_VERSION: '2.21.0', PYTHON: '', PATH: '/nowhere' })
  assert.match(printed, /libtensorflow_cc\.so\.2, .* is missing or damaged; fetching TensorFlow again\n/)
  assert.match(printed, /no Python with pip was found/)
})
