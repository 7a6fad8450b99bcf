/**
 * A campaign against files that mim wrote itself: bytes are changed, cut off or zeroed at random places of every file
 * of the run folders. Each command then works, or ends with one line that names a file.
 */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { EmbeddingTable } from '../../src/store/index.js'
import { smallStages, workplace } from '../e2e/stages.js'
import { runHere, setArguments } from '../refusal.js'

const rounds = Number(process.env['SPOILT_ROUNDS'] ?? 200)
const seed = process.env['SPOILT_SEED'] ?? 'spoilt'
const folder = await workplace()
const at = (...names: string[]) => join(folder, ...names)
const stages = smallStages(folder)
const wasm = ['--engine', 'wasm']
const pretrain = [...stages.pretrain, ...wasm, ...setArguments({ 'train.epochs': 1 })]
const ctr = [...stages.ctr, ...wasm, ...setArguments({ 'train.epochs': 1, 'data.embeddings': at('embed/embeddings') })]
const embed = [...stages.embed, '--checkpoint', at('pretrain')]

for (const [args, out] of [
  [pretrain, 'pretrain'],
  [embed, 'embed'],
  [ctr, 'ctr'],
] as const) {
  const { code, stderr } = await run([...args, '--out', at(out), '--json'])
  assert.equal(code, undefined, stderr)
}
const table = EmbeddingTable.open(at('embed'))
const item = String(table.ids.read(3, 1)[0])
table.close()
const quiet = await run(['neighbors', at('embed'), '--item', item, '--index', '-k', '3', '--json'])
assert.equal(quiet.code, undefined, quiet.stderr)

/** Runs a command in this process without its results. */
async function run(args: readonly string[]): ReturnType<typeof runHere> {
  const { write } = process.stdout
  process.stdout.write = () => true
  try {
    return await runHere(args)
  } finally {
    process.stdout.write = write
  }
}

/** The commands that read a file, by the beginning of its path. `fresh`: files that are absent when the command runs. */
const readers: { files: RegExp; run: () => string[]; without?: string[] }[] = [
  { files: /^pretrain\/checkpoint\//, run: () => [...embed, '--out', at('again')] },
  {
    files: /^pretrain\/(last|log|history|config)/,
    run: () => [...pretrain, '--out', at('pretrain'), '--resume'],
    without: ['pretrain/metrics.json'],
  },
  { files: /^pretrain\/metrics/, run: () => [...pretrain, '--out', at('pretrain'), '--resume'] },
  {
    files: /^embed\/tables\/\d+\/(hnsw|manifest|item)/,
    run: () => ['neighbors', at('embed'), '--item', item, '--index', '-k', '3'],
  },
  { files: /^embed\/tables\//, run: () => ['embed', 'check', at('embed')] },
  { files: /^embed\/tables\//, run: () => [...embed, '--out', at('embed')] },
  { files: /^embed\/(config|log)/, run: () => ['neighbors', at('embed'), '--text', 'red shoes', '-k', '3'] },
  {
    files: /^ctr\/(checkpoint|onnx|config)/,
    run: () => ['ctr', 'predict', at('ctr'), '--out', at('predicted.parquet')],
  },
  {
    files: /^ctr\/(last|log|history|config|checkpoint)/,
    run: () => [...ctr, '--out', at('ctr'), '--resume'],
    without: ['ctr/metrics.json'],
  },
  { files: /^ctr\/(predictions|metrics|config)/, run: () => ['compare', at('ctr')] },
  { files: /^cache\//, run: () => [...pretrain, '--out', at('again')] },
]

const files = ['pretrain', 'embed', 'ctr', 'cache']
  .flatMap((name) => (readdirSync(at(name), { recursive: true }) as string[]).map((path) => `${name}/${path}`))
  .filter((path) => statSync(at(path)).isFile() && !/report\.html|README|\/embeddings\/|embed\/table\//.test(path))
  .sort()
const kept = at('kept')
for (const name of ['pretrain', 'embed', 'ctr', 'cache'])
  cpSync(at(name), join(kept, name), { recursive: true, verbatimSymlinks: true })

function restore(): void {
  for (const name of ['pretrain', 'embed', 'ctr', 'cache', 'again', 'predicted.parquet'])
    rmSync(at(name), { recursive: true, force: true })
  for (const name of ['pretrain', 'embed', 'ctr', 'cache'])
    cpSync(join(kept, name), at(name), { recursive: true, verbatimSymlinks: true })
}

/** Ways to spoil the bytes of a file. */
const ways: Record<string, (bytes: Buffer, random: Random) => Buffer> = {
  'some bytes changed': (bytes, random) => {
    const out = Buffer.from(bytes)
    for (let i = 0; i < 1 + random.int(4); i++) if (out.length > 0) out[random.int(out.length)] = random.int(256)
    return out
  },
  'bytes changed near the start': (bytes, random) => {
    const out = Buffer.from(bytes)
    for (let i = 0; i < 3; i++) if (out.length > 0) out[random.int(Math.min(out.length, 200))] = random.int(256)
    return out
  },
  'cut off': (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  zeros: (bytes) => Buffer.alloc(bytes.length),
  'zeros from somewhere on': (bytes, random) => Buffer.from(bytes).fill(0, random.int(bytes.length + 1)),
  'a number changed': (bytes, random) => {
    const digits = [...bytes.keys()].filter((i) => bytes[i] >= 0x30 && bytes[i] <= 0x39)
    const out = Buffer.from(bytes)
    if (digits.length > 0) out[digits[random.int(digits.length)]] = 0x30 + random.int(10)
    return out
  },
  'something appended': (bytes) => Buffer.concat([bytes, Buffer.from('{}')]),
  empty: () => Buffer.alloc(0),
  null: () => Buffer.from('null\n'),
  list: () => Buffer.from('[]\n'),
  object: () => Buffer.from('{}\n'),
}

test(`when ${rounds} files of run folders are spoilt at random then each command works or says in a line what is`, async () => {
  const counts = { works: 0, refused: 0 }
  for (let round = 0; round < rounds; round++) {
    const random = Random.of(seed, round)
    const file = files[random.int(files.length)]
    const names = Object.keys(ways)
    const way = names[random.int(names.length)]
    const able = readers.filter((one) => one.files.test(file))
    if (able.length === 0) continue
    const reader = able[random.int(able.length)]
    const path = at(file)
    writeFileSync(path, ways[way](readFileSync(path), random))
    for (const name of reader.without ?? []) rmSync(at(name), { force: true })
    const about = `round ${round}: ${file}, ${way}: mim ${reader.run().slice(0, 3).join(' ')}`
    if (process.env['SPOILT_SAY']) process.stderr.write(`${about}\n`)
    const started = performance.now()
    const { code, stderr } = await run([...reader.run(), '--json'])
    assert.ok(performance.now() - started < 60_000, `${about}: it took too long`)
    assert.ok(code === undefined || code === 2, `${about}: exit code ${code}\n${stderr}`)
    assert.doesNotMatch(stderr, /internal error|\n {4}at /, about)
    if (code === 2 && !reader.run().includes('check')) {
      // Several problems of a configuration have a line each.
      assert.match(stderr, /error \[[a-z-]+\]: [^\n]+\n(?: {2}[^\n]+\n)*$/, about)
      counts.refused++
    } else counts.works++
    if (process.env['SPOILT_SAY'])
      process.stderr.write(`    ${code ?? 0} ${stderr.trim().split('\n').at(-1)?.slice(0, 220)}\n`)
    restore()
  }
  process.stderr.write(
    `spoilt files: ${counts.works + counts.refused} tried, ${counts.works} work, ${counts.refused} refused in a line, 0 lost\n`,
  )
})
