/** What a configuration, and the options beside it, may not be: one line each, at once. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.js'
import { runHere } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const bin = join(root, 'bin/mim')
const folder = await temporaryFolder()

async function refused(args: readonly string[], id: string, message: RegExp): Promise<void> {
  const started = performance.now()
  const { code, stderr } = await runHere(args)
  assert.equal(code, 2, stderr)
  assert.match(stderr, new RegExp(`^error \\[${id}\\]: [^\\n]+\\n$`))
  assert.match(stderr, message)
  assert.ok(performance.now() - started < 20_000, 'it took long')
}

const nine = (name: string) => `[${Array(9).fill(name).join(', ')}]`
const laughs = ['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => `${name}: &${name} ${nine(`*${'abcdefg'[i]}`)}`)

const files: [name: string, stage: string, text: string | Buffer, id: string, message: RegExp][] = [
  [
    'a key in a list',
    'grid',
    'rows: [{name: a, vectros: [x]}]',
    'config',
    /:1: rows\.0\.vectros: unknown option; did you mean 'vectors'/,
  ],
  [
    'a key in a list of features',
    'ctr',
    'features: {items: [{column: a, nmae: b}]}',
    'config',
    /features\.items\.0\.nmae: .*'name'/,
  ],
  [
    'a mapping in a list of names',
    'sft',
    'positives: {sources: [{name: x}]}',
    'config',
    /sources\.0: \{"name":"x"\}; expected one of/,
  ],
  ['an alias in its anchor', 'ctr', 'train: &a {batch: *a}', 'config-yaml', /a value contains itself/],
  ['a merge with itself', 'ctr', 'x: &x\n  <<: *x\n', 'config-yaml', /a value contains itself/],
  ['a billion laughs', 'ctr', `a: &a ${nine('x')}\n${laughs.join('\n')}`, 'config-yaml', /Excessive alias count/],
  ['tabs', 'ctr', 'train:\n\tbatch: 3\n', 'config-yaml', /:2: Tabs are not allowed/],
  ['a key twice', 'ctr', 'seed: 1\nseed: 2\n', 'config-yaml', /:2: Map keys must be unique/],
  ['several documents', 'ctr', 'seed: 1\n---\nseed: 2\n', 'config-yaml', /more than one YAML document/],
  ['a list', 'ctr', '- 1\n', 'config-yaml', /the file is not a mapping/],
  ['a text', 'ctr', 'hello\n', 'config-yaml', /the file is not a mapping/],
  [
    'a number as text',
    'ctr',
    'train: {batch: "1e3"}',
    'config',
    /train\.batch: "1e3"; expected number, received string/,
  ],
  ['a number with underscores', 'ctr', 'train: {batch: 1_000}', 'config', /"1_000"; expected number/],
  ['NaN', 'ctr', 'train: {learningRate: .nan}', 'config', /train\.learningRate: not a number;/],
  ['infinity', 'ctr', 'train: {learningRate: .inf}', 'config', /train\.learningRate: Infinity; expected number/],
  ['a huge integer', 'ctr', 'seed: 99999999999999999999', 'config', /seed: 100000000000000000000; expected int/],
  ['__proto__', 'ctr', '__proto__: {x: 1}', 'config', /:1: __proto__: unknown option/],
  ['__proto__ in a section', 'ctr', 'train: {__proto__: {batch: 3}}', 'config', /:1: train\.__proto__: unknown option/],
  [
    '__proto__ among ranges',
    'tune',
    'ranges: {__proto__: {log: [1, 2]}}',
    'config',
    /:1: ranges\.__proto__: unknown option/,
  ],
  [
    '__proto__ in a row',
    'grid',
    'rows: [{name: a, set: {__proto__: {x: 1}}}]',
    'config',
    /rows\.0\.set\.__proto__: unknown option/,
  ],
  ['constructor', 'ctr', 'constructor: 1', 'config', /:1: constructor: unknown option/],
  [
    'hasOwnProperty',
    'ctr',
    'data: {columns: {hasOwnProperty: x}}',
    'config',
    /data\.columns\.hasOwnProperty: unknown option/,
  ],
  ['a mapping as key', 'ctr', '? {a: b}\n: 1\n', 'config', /unknown option/],
  ['values nested too deeply', 'ctr', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'config-yaml', /nested too deeply/],
  ['UTF-16', 'ctr', Buffer.from('\ufeffseed: 1\n', 'utf16le'), 'config-yaml', /not UTF-8 text/],
  ['bytes', 'ctr', Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 'config-yaml', /: /],
]

for (const [i, [name, stage, text, id, message]] of files.entries()) {
  test(`when a configuration has ${name} then ${id}`, async () => {
    const path = join(folder, `${i}.yaml`)
    writeFileSync(path, text)
    await refused(['config', stage, '--config', path], id, message)
  })
}

test('when a configuration is empty then the defaults count', async () => {
  for (const text of ['', '# nothing\n', 'null\n', '\ufeff']) {
    const path = join(folder, 'empty.yaml')
    writeFileSync(path, text)
    assert.deepEqual(await quietly(['config', 'ctr', '--config', path]), { code: undefined, stderr: '' })
  }
})

/** As `runHere`, with standard output dropped. */
async function quietly(args: readonly string[]) {
  const { write } = process.stdout
  process.stdout.write = () => true
  try {
    return await runHere(args)
  } finally {
    process.stdout.write = write
  }
}

const odd: [name: string, make: (path: string) => void, id: string, message: RegExp][] = [
  [
    'a pipe',
    (path) => execFileSync('mkfifo', [path]),
    'config-missing',
    /is a pipe, a socket or a device; expected a file/,
  ],
  ['a device', (path) => symlinkSync('/dev/zero', path), 'config-missing', /is a pipe, a socket or a device/],
  ['a link to itself', (path) => symlinkSync(path, path), 'config-missing', /was not found/],
  ['a link to nothing', (path) => symlinkSync('nothing', path), 'config-missing', /was not found/],
  ['a folder', (path) => mkdirSync(path), 'config-missing', /is a folder/],
  ['too large', (path) => truncate(path, 2 ** 32), 'config-yaml', /more than 4194304 bytes/],
  ['nested by indentation', (path) => writeFileSync(path, nested(2800)), 'config-yaml', /nested too deeply/],
]

/** A file of zeros that takes no space. */
function truncate(path: string, bytes: number): void {
  writeFileSync(path, '')
  truncateSync(path, bytes)
}

const nested = (levels: number) => Array.from({ length: levels }, (_, i) => `${' '.repeat(i)}a:`).join('\n')

for (const [name, make, id, message] of odd) {
  test(`when a configuration is ${name} then ${id}, and nothing waits`, async () => {
    const path = join(folder, name)
    make(path)
    await refused(['config', 'ctr', '--config', path], id, message)
  })
}

for (const name of ['a\nb', 'a\0b', 'x'.repeat(300), `${'y/'.repeat(3000)}z`]) {
  test(`when a configuration is named ${JSON.stringify(name.slice(0, 9))}… then one line says so`, async () => {
    await refused(['config', 'ctr', '--config', name], 'config-missing', /was not found/)
  })
}

test('when a configuration comes from the shell or is the null device then it is read', async () => {
  const script = `node ${bin} config ctr --config <(echo 'seed: 7') && node ${bin} config ctr --config /dev/null`
  const { stdout, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  assert.equal(status, 0)
  assert.match(stdout, /^seed: 7$/m)
})

const sets: [set: string, id: string, message: RegExp][] = [
  ['a.b.c=1', 'config', /--set a\.b\.c=1: unknown option/],
  ['seed.x.y=1', 'config', /seed: \{"x":\{"y":1\}\}; expected number/],
  ['=x', 'set-syntax', /--set =x; expected path\.to\.option=value/],
  ['train.batch', 'set-syntax', /expected path\.to\.option=value/],
  ['train=', 'config', /expected object, received null/],
  ['..=1', 'config', /unknown option/],
  ['__proto__.x=1', 'config', /unknown option/],
  ['train.__proto__.x=1', 'config', /unknown option/],
  ['constructor.prototype.x=1', 'config', /unknown option/],
  ['train={__proto__: {batch: 3}}', 'set-syntax', /__proto__: unknown option/],
  ['train.batch=.inf', 'config', /received Infinity/],
  ['train.batch=[', 'set-syntax', /Flow sequence/],
  ['train.batch=&a [*a]', 'set-syntax', /a value contains itself/],
  ['x=1\ny=2', 'config', /--set x=1\\ny=2: unknown option/],
  [`train.${'x'.repeat(100_000)}=1`, 'config', /unknown option/],
  ['data.memory=zap', 'config', /expected a size such as 2GB, from 1MB to 1000TB/],
  ['data.memory=0GB', 'config', /expected a size such as 2GB/],
  ['data.memory=-1', 'config', /expected string/],
]

for (const [set, id, message] of sets) {
  test(`when --set is ${set.slice(0, 40)} then ${id}`, async () => {
    await refused(['config', 'ctr', '--set', set], id, message)
    assert.equal(({} as { x?: unknown }).x, undefined, 'all objects have it now')
  })
}

for (const memory of ['zap', '-1', '5%', '', '0GB', '1e9', '2GB; DROP', '99999999999GB']) {
  test(`when --memory is '${memory}' then option-value`, async () => {
    const rule = /expected a size such as 2GB, from 1MB to 1000TB/
    await refused(['ctr', 'evaluate', 'some.parquet', '--memory', memory], 'option-value', rule)
  })
}

test('when a grid has more runs than anyone waits for then grid-size', async () => {
  const path = join(folder, 'grid.yaml')
  writeFileSync(
    path,
    JSON.stringify({ seeds: [...Array(999).keys()], rows: [...Array(99).keys()].map((i) => ({ name: `r${i}` })) }),
  )
  await refused(
    ['ctr', 'grid', '--config', path, '--out', join(folder, 'grid')],
    'grid-size',
    /98901 runs; expected at most 10000/,
  )
})

test('when vectors of a grid have the name of what all objects have then grid-vectors', async () => {
  const path = join(folder, 'vectors.yaml')
  writeFileSync(path, 'rows: [{name: a, vectors: [constructor]}]')
  await refused(
    ['ctr', 'grid', '--config', path, '--out', join(folder, 'grid')],
    'grid-vectors',
    /vectors 'constructor'/,
  )
})

test('when counts of other commands are none, or beyond reason, then one line says so', async () => {
  for (const k of ['1e9', '0', 'some'])
    await refused(['neighbors', folder, '--text', 'red', '-k', k], 'k-value', /whole number from 1 to 100000/)
  await refused(
    ['neighbors', folder, '--item', '1', '--recall-items', '1e12'],
    'k-value',
    /--recall-items: 1000000000000/,
  )
  const shard = ['embed', '--out', join(folder, 'embed'), '--shard', `0/${10 ** 20}`]
  await refused(shard, 'shard-value', /shard 0 of/)
  await refused(['embed', 'merge', '--out', folder, '--keep-tables', '0'], 'option-value', /--keep-tables 0/)
  const predict = ['ctr', 'predict', folder, '--out', join(folder, 'p.parquet')]
  await refused([...predict, '--explain', '1e9'], 'option-value', /--explain 1000000000; expected a whole number/)
  await refused([...predict, '--threads', '1e9'], 'option-value', /--threads 1000000000; expected a whole number/)
  await refused(['sft', '--ablate', 'levels', '--seeds', '1,99999999999999999999'], 'ablation-seeds', /--seeds/)
})
