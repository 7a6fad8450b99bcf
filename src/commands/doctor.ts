/** `mim doctor`: what works on this machine, and what to do about what does not. */
import { type Finding, note, ok, problem } from '../doctor/finding.js'
import { type Libraries, tryLibraries } from '../doctor/libraries.js'
import { cacheFinding, diskFindings, gpuFindings, memoryFindings, nodeFinding } from '../doctor/machine.js'
import { engineNames } from '../engine/index.js'

export async function run({ json }: { json?: boolean }): Promise<void> {
  const { gpus, findings: gpu } = gpuFindings()
  const libraries = await tryLibraries(gpus)
  const findings = [
    nodeFinding(),
    engineFinding(libraries),
    ...libraries.findings,
    ...gpu,
    ...memoryFindings(),
    ...diskFindings(),
    cacheFinding(),
  ]
  const works = libraries.tensorflow || libraries.wasm
  process.stdout.write(json ? `${JSON.stringify({ works, findings })}\n` : screen(findings))
  if (!works) process.exitCode = 1
}

/** The engine that training uses by default. */
function engineFinding({ tensorflow, wasm }: Libraries): Finding {
  const chosen = process.env['MIM_ENGINE'] ?? 'auto'
  const works = { auto: tensorflow || wasm, tensorflow, wasm }
  if (!Object.hasOwn(works, chosen)) {
    return problem('engine', `MIM_ENGINE is '${chosen}'`, `set MIM_ENGINE to one of ${engineNames.join(', ')}`)
  }
  if (!works[chosen as keyof typeof works]) return problem('engine', `${chosen} does not work`, 'see the lines below')
  if (chosen !== 'auto') return ok('engine', `${chosen} (from MIM_ENGINE)`)
  if (tensorflow) return ok('engine', 'auto: tensorflow')
  return note('engine', 'auto: wasm, several times slower than tensorflow', 'see the tensorflow line below')
}

function screen(findings: Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length))
  const lines = findings.flatMap(({ mark, what, value, remedy }) => [
    `${mark.padEnd('problem'.length)}  ${what.padEnd(width)}  ${value}`,
    ...(remedy ? [`${' '.repeat('problem'.length + 2)}→ ${remedy}`] : []),
  ])
  return `${lines.join('\n')}\n`
}
