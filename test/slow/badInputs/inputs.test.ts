/** Bad inputs of every command: each ends in one line that says what is wrong and where, and leaves nothing. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import type { BadInput } from './badInput.js'
import { chosen, tally } from './campaign.js'
import { checkpoints } from './checkpoints.js'
import { flags } from './flags.js'
import { Hosts } from './hosts.js'
import { pictures } from './pictures.js'
import { listing, Place, prepare } from './prepared.js'
import { spoiled } from './spoiled.js'
import { tables } from './tables.js'

const folder = await temporaryFolder()
const db = await openDatabase()
const sound = await prepare(join(folder, 'sound'))
const before = listing(sound.folder)
const hosts = new Hosts(folder)
const counts = tally('bad inputs')
after(() => {
  hosts[Symbol.dispose]()
  counts.print()
})

/** Most seconds and most growth of memory of a refusal [MB], also on a busy machine. */
const most = { seconds: Number(process.env['BAD_INPUT_SECONDS'] ?? 20), megabytes: 400 }
/** Facts of the data and warnings, then one error, which may list problems. */
const refusal =
  /^(?:data\n| {2}[^\n]*\n|warning: [^\n]*\n|[^\n]* …\n|[a-z ]+: [^\n]*\n|[a-z]+ provider skipped[^\n]*\n|step [^\n]*\n)*?error \[([a-z-]+)\]: ([^\n]+(?:\n {2}[^\n]+)*)\n$/

async function attempt({ make, id, says, leaves = [], changes }: BadInput): Promise<void> {
  const place = new Place(join(folder, `${counts.next()}`), sound, db)
  try {
    const args = await make(place)
    const files = () => listing(place.folder).filter((one) => !changes || !one.startsWith(place.path(changes)))
    const made = files()
    const env = { TMPDIR: place.temporary, HOME: join(folder, 'home') }
    const { code, signal, stderr, seconds, megabytes } = await hosts.run({ args, env })
    const shown = `mim ${args.join(' ').slice(0, 500)}: ${signal ?? code}: ${stderr.slice(-2000)}`
    assert.equal(signal, null, shown)
    assert.equal(code, 2, shown)
    const [, found, message] = refusal.exec(stderr) ?? assert.fail(shown)
    assert.ok([id].flat().includes(found), shown)
    assert.match(message, says)
    assert.ok(message.length < 3000, `${message.length} characters`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    assert.doesNotMatch(message, /[\u0000-\u0009\u000b-\u001f\u007f]/)
    assert.ok(seconds < most.seconds, `${seconds} s`)
    if (!Number.isNaN(megabytes)) assert.ok(megabytes < most.megabytes, `${megabytes} MB`)
    assert.deepEqual(readdirSync(place.temporary), [], 'temporary files were left')
    const left = files().filter((one) => !made.includes(one))
    const allowed = leaves.flatMap((name) => [place.path(name), join(place.path(name), '..')])
    assert.deepEqual(
      left.filter((one) => !allowed.includes(one.split(' ')[0])),
      [],
      shown,
    )
    assert.deepEqual(
      made.filter((one) => !files().includes(one)),
      [],
      'files are gone or changed',
    )
    assert.deepEqual(listing(sound.folder), before, 'sound files changed')
  } finally {
    rmSync(place.folder, { recursive: true, force: true })
  }
}

for (const [kind, list] of Object.entries({ tables, pictures, flags, checkpoints, spoiled })) {
  describe(`Bad inputs: ${kind}`, { concurrency: hosts.count }, () => {
    for (const input of chosen(list)) {
      test(
        `when there is this bad input then it is refused: ${input.name}`,
        { skip: input.skip, todo: input.todo },
        () => (input.todo ? attempt(input) : counts.count(() => attempt(input))),
      )
    }
  })
}
