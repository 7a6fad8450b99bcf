import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { readJson, readYaml } from '../../src/base/ownFile.js'
import { assertRefused } from '../errors/refused.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const schema = z.object({ step: z.int() })
const recovery = { remedy: 'write it again' }
const json = (path: string) => () => readJson(path, schema, recovery)
const yaml = (path: string) => () => readYaml(path, recovery)

/** Content of a file, and what the error of its reading as JSON and as YAML says; undefined: it is read. */
const spoilt: Record<string, { content: string | Buffer; json?: RegExp; yaml?: RegExp }> = {
  empty: { content: '', json: /: the file is empty; write it again$/, yaml: /: the file is empty/ },
  null: { content: 'null', json: /: null: .*expected object/, yaml: /: null instead of a mapping/ },
  list: { content: '[]', json: /: a list: /, yaml: /: a list instead of a mapping/ },
  number: { content: '3', json: /: a number: /, yaml: /: a number instead of a mapping/ },
  object: { content: '{}', json: /: step: / },
  typed: { content: '{"step": "3"}', json: /: step: .*number/ },
  cut: { content: '{"step": 3', json: /: the file is cut short; expected JSON/, yaml: /cut: .*[Ff]low map/ },
  text: { content: 'step 3\u0007 }', json: /: Unexpected token/, yaml: /: / },
  binary: { content: Buffer.from([0xff, 0xfe, 0x00, 0x80]), json: /: not UTF-8 text/, yaml: /: not UTF-8 text/ },
  zeros: {
    content: Buffer.alloc(10_000_000),
    json: /: 10000000 bytes of zeros, as a power cut/,
    yaml: /bytes of zeros/,
  },
  nested: { content: '['.repeat(1e6), json: /: more than 200 levels of nesting/, yaml: /: more than 200 levels/ },
  blocks: { content: '- '.repeat(1e5), json: /: /, yaml: /: more than 200 levels/ },
  indented: {
    content: Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
    json: /: /,
  },
  bomb: {
    content: `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]\n`)
      .join('')}`,
    json: /: Unexpected token/,
    yaml: /alias/,
  },
}

for (const [name, { content, json: asJson, yaml: asYaml }] of Object.entries(spoilt)) {
  test(`when a file of ours is spoilt (${name}) then one line says what, where and how to get it back`, async () => {
    const path = join(folder, name)
    writeFileSync(path, content)
    if (asJson) await assertRefused(json(path), 'file-broken', asJson)
    if (asYaml) await assertRefused(yaml(path), 'file-broken', asYaml)
    for (const read of [json(path), yaml(path)]) {
      try {
        read()
      } catch (error) {
        assert.match((error as Error).message, new RegExp(`${name}: [^\\n]*; write it again$`))
      }
    }
  })
}

test('when a folder or a pipe is in place of a file of ours then it is not waited for', async () => {
  mkdirSync(join(folder, 'is-folder'))
  execFileSync('mkfifo', [join(folder, 'is-pipe')])
  await assertRefused(json(join(folder, 'is-folder')), 'file-broken', /a folder, not a file/)
  await assertRefused(json(join(folder, 'is-pipe')), 'file-broken', /a pipe or a device, not a file/)
  await assertRefused(yaml(join(folder, 'is-pipe')), 'file-broken', /a pipe or a device, not a file/)
})

test('when a file of ours is whole then it is read', () => {
  writeFileSync(join(folder, 'whole'), '{"step": 3, "more": [[]]}')
  assert.deepEqual(readJson(join(folder, 'whole'), schema, recovery), { step: 3 })
})
