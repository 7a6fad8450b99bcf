/** Files with random damage: each is read or refused in one line, without a crash, a hang or anything left. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import { seed, share, tally } from './campaign.js'
import { fuzzes } from './fuzz.js'
import { Hosts, limit } from './hosts.js'
import { listing, Place, prepare } from './prepared.js'

/** Damaged files of each kind. */
const each = Math.ceil(Number(process.env['CAMPAIGN_FUZZ'] ?? 40) * share)

const folder = await temporaryFolder()
const db = await openDatabase()
const sound = await prepare(join(folder, 'sound'))
const before = listing(sound.folder)
const hosts = new Hosts(folder)
const counts = tally('damaged files')
after(() => {
  hosts[Symbol.dispose]()
  counts.print()
})

async function attempt(kind: string, name: string): Promise<void> {
  const place = new Place(join(folder, `${counts.next()}`), sound, db)
  try {
    const args = await fuzzes[kind](place, name)
    const { code, signal, stderr, seconds, megabytes } = await hosts.run({
      args,
      env: { TMPDIR: place.temporary, HOME: folder },
    })
    const shown = `${signal ?? code}: ${stderr.slice(-2000)}`
    assert.equal(signal, null, `${signal} after ${seconds} s (limit ${limit} s): ${shown}`)
    assert.ok(code === 0 || code === 2, shown)
    assert.doesNotMatch(stderr, /internal error|\n +at /)
    // A check prints what it finds, and ends with 2 without an error.
    if (code === 2 && args[1] !== 'check') assert.match(stderr, /(^|\n)error \[[a-z-]+\]: [^\n]+(\n {2}[^\n]+)*\n$/)
    if (!Number.isNaN(megabytes)) assert.ok(megabytes < 1000, `${megabytes} MB`)
    assert.deepEqual(readdirSync(place.temporary), [], 'temporary files were left')
    assert.deepEqual(listing(sound.folder), before, 'sound files changed')
  } finally {
    rmSync(place.folder, { recursive: true, force: true })
  }
}

describe('Damaged files', { concurrency: hosts.count }, () => {
  for (const kind of Object.keys(fuzzes)) {
    for (let i = 0; i < each; i++) {
      const name = `${seed}/${kind}/${i}`
      test(`when ${kind} is damaged then it is read or refused: ${name}`, () => counts.count(() => attempt(kind, name)))
    }
  }
})
