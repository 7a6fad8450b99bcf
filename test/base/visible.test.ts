import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorOf, failureOf, UserError } from '../../src/base/errors.js'
import { warningText } from '../../src/base/warning.js'

const messageOf = (what: string | string[], where?: string) => new UserError({ id: 'x', what, where }).message

test('when values or paths have line breaks and control characters then messages show them as escapes', () => {
  assert.equal(
    messageOf("'a\nb' occurs 2 times", 'in\n/it\u001b[31mems'),
    "in\\n/it\\u001b[31mems: 'a\\nb' occurs 2 times",
  )
  assert.equal(messageOf("'\r\t\0\u0085\u202e'"), "'\\r\\t\\u0000\\u0085\\u202e'")
  assert.equal(messageOf("'Größe 紅 👟'"), "'Größe 紅 👟'")
  const warning = { id: 'x', where: 'a\nb', what: 'c\u001bd', remedy: 'e\nf' }
  assert.equal(warningText(warning), 'warning: a\\nb: c\\u001bd; e\\nf')
})

test('when values are longer than 200 characters then they are cut in the middle', () => {
  const ends = `${'a'.repeat(100)}…${'b'.repeat(100)}`
  assert.equal(messageOf(`${'a'.repeat(5000)}${'b'.repeat(5000)} occurs 2 times`), `${ends} occurs 2 times`)
  const quoted = messageOf(`'${'red shoe '.repeat(1000)}'; rest`)
  assert.match(quoted, /^'red shoe .*….*red shoe '; rest$/)
  assert.ok(quoted.length < 220, quoted)
  const pair = '👟'.repeat(201)
  assert.equal(messageOf(pair), `${'👟'.repeat(100)}…${'👟'.repeat(100)}`)
  assert.equal(messageOf('a'.repeat(200)), 'a'.repeat(200))
})

test('when a value has millions of characters then it is cut too, whatever it is made of', () => {
  assert.equal(messageOf(`${'x'.repeat(5e6)}${'y'.repeat(5e6)}`), `${'x'.repeat(100)}…${'y'.repeat(100)}`)
  assert.ok(messageOf('red shoe '.repeat(1e6)).length < 2500)
  assert.equal(messageOf('missing', 'x'.repeat(5000)), `${'x'.repeat(100)}…${'x'.repeat(100)}: missing`)
  const path = `/${'data/'.repeat(150)}`
  assert.equal(messageOf('missing', path), `${path}: missing`)
})

test('when an error lists several problems then each has a line, also from another thread', () => {
  const error = new UserError({ id: 'x', what: ['two problems', 'a\nb', 'c'] })
  assert.equal(error.message, 'two problems\n  a\\nb\n  c')
  assert.equal(errorOf(failureOf(error)).message, error.message)
})
