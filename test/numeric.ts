/**
 * `node numeric.js [SETTING…]` runs the numeric tests (engine, ops, losses, models) once for each setting, one after the
 * other: TensorFlow with the instruction sets that other processors have, and the wasm engine. Kernels for other
 * instruction sets add the terms of a sum in another order, so a bound that fits one machine only fails here.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { root } from './fixtures.js'

const oneDnn = (isa?: string) => ({
  MIM_TEST_ENGINE: 'tensorflow',
  TF_ENABLE_ONEDNN_OPTS: '1',
  ...(isa ? { ONEDNN_MAX_CPU_ISA: isa } : {}),
})

const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sse41: oneDnn('SSE41'),
  avx2: oneDnn('AVX2'),
  // All that the processor has.
  best: oneDnn(),
  // Eigen's kernels instead of those of oneDNN.
  eigen: { MIM_TEST_ENGINE: 'tensorflow', TF_ENABLE_ONEDNN_OPTS: '0' },
  wasm: { MIM_TEST_ENGINE: 'wasm' },
}

const rooms = ['engine', 'ops', 'losses', 'models']
const files = rooms.flatMap((room) =>
  readdirSync(join(root, 'dist/test', room))
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(root, 'dist/test', room, name)),
)

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Runs all files with the variables of a setting; prints failed tests as they end. */
async function tryOut(variables: Readonly<Record<string, string>>): Promise<Counts> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const before = { ...process.env }
  Object.assign(process.env, variables)
  try {
    const concurrency = Number(process.env['CONCURRENCY'] ?? 2)
    const events = run({ files, concurrency })
    events.on('test:pass', ({ details, skip }) => {
      if (details.type !== 'suite') counts[skip ? 'skipped' : 'passed']++
    })
    events.on('test:fail', ({ name, file, details: { type, error } }) => {
      if (type === 'suite') return
      counts.failed++
      console.log(`failed: ${name} (${file})\n${String(error.cause ?? error)}\n`)
    })
    for await (const _ of events);
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
    Object.assign(process.env, before)
  }
  return counts
}

const shown = ({ passed, failed, skipped }: Counts) => `${passed} passed, ${failed} failed, ${skipped} skipped`

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(settings)
const unknown = names.find((name) => !(name in settings))
if (unknown) throw new Error(`setting '${unknown}'; expected ${Object.keys(settings).join(', ')}`)
const total = { passed: 0, failed: 0, skipped: 0 }
for (const name of names) {
  const variables = Object.entries(settings[name]).map(([variable, value]) => `${variable}=${value}`)
  console.log(`numeric tests, ${name}: ${variables.join(' ')}`)
  const started = performance.now()
  const counts = await tryOut(settings[name])
  console.log(`numeric tests, ${name}: ${shown(counts)}, ${Math.round((performance.now() - started) / 1000)} s`)
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key]
}
console.log(`numeric tests, ${names.join(', ')}: ${shown(total)}`)
if (total.failed > 0 || total.passed === 0) process.exitCode = 1
