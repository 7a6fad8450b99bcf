/** A worse environment: a command works with the right result, or says why not in one line, and the same one then works. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, readdirSync, rmSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import { chosen, tally } from './campaign.js'
import { environmentCommands, type Fault, faults, mimPath } from './environment.js'
import { listing, Place, prepare } from './prepared.js'

const folder = await temporaryFolder()
const db = await openDatabase()
const sound = await prepare(join(folder, 'sound'))
const before = listing(sound.folder)
const counts = tally('environments')
after(counts.print)

/** Seconds after which a command counts as hanging. */
const limit = Number(process.env['BAD_INPUT_SECONDS'] ?? 120)

interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
}

function run(shell: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn('bash', ['-c', shell, 'mim', process.execPath, mimPath, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * limit)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stderr })
    })
  })
}

/** The environment of a fault: paths in it are below the place. */
function environmentOf({ env = {} }: Fault, place: Place): NodeJS.ProcessEnv {
  const inPlace = (value: string | undefined) => (value === undefined || isAbsolute(value) ? value : place.path(value))
  const { TMPDIR, OUT, DATA, NODE_OPTIONS, ...rest } = env
  return {
    ...process.env,
    MIM_ENGINE: 'wasm',
    NODE_TEST_CONTEXT: undefined,
    ...rest,
    TMPDIR: inPlace(TMPDIR) ?? place.temporary,
    NODE_OPTIONS: NODE_OPTIONS?.replace(/=(\w+\.cjs)/, (_, file) => `=${place.path(file)}`),
    PLACE: place.folder,
    DATA_SOUND: sound.data,
  }
}

const usual = (p: Place, stderr: string) => {
  assert.doesNotMatch(stderr, /internal error|\n +at |Native stack trace|terminate called/)
  assert.deepEqual(
    readdirSync(p.temporary).filter((name) => name.startsWith('mim-')),
    [],
    'temporary files were left',
  )
}

async function attempt(fault: Fault, name: keyof typeof environmentCommands): Promise<void> {
  const place = new Place(join(folder, `${counts.next()}`), sound, db)
  fault.prepare?.(place)
  const { OUT, DATA } = fault.env ?? {}
  const given = environmentCommands[name](place)
  const args = given.map((one) => (OUT && one === place.out ? (DATA ? `./${OUT}` : place.path(OUT)) : one))
  if (DATA && name !== 'sample') args.push(`--data=./${DATA}`)
  try {
    const { code, signal, stderr } = await run(fault.shell, args, environmentOf(fault, place))
    const shown = stderr.slice(-2000)
    assert.equal(signal, null, `${signal}: ${shown}`)
    usual(place, stderr)
    if (code !== 0) {
      assert.equal(code, 2, shown)
      assert.notEqual(fault.refused, 'never', shown)
      assert.match(stderr, /(^|\n)error \[[a-z-]+\]: [^\n]+\n$/)
      if (fault.refused instanceof RegExp) assert.match(stderr, fault.refused)
    }
    assert.deepEqual(listing(sound.folder), before, 'the inputs changed')
    if (code === 0) return
    // The same command completes once the environment is as usual.
    const again = await run('"$@"', environmentCommands[name](place), environmentOf({ ...fault, env: {} }, place))
    assert.equal(again.code, 0, again.stderr.slice(-2000))
  } finally {
    rmSync(place.folder, { recursive: true, force: true })
  }
}

// Other users must reach the places in it.
chmodSync(folder, 0o755)
const cases = faults.flatMap((fault) =>
  (fault.commands ?? ['ctr' as const]).map((name) => ({ name: `${name} in ${fault.name}`, fault, command: name })),
)
describe('Environments', { concurrency: 2 }, () => {
  for (const { name, fault, command } of chosen(cases)) {
    test(`when mim runs ${name} then it works, or says why not and works afterwards`, { skip: fault.skip }, () =>
      counts.count(() => attempt(fault, command)),
    )
  }
})
