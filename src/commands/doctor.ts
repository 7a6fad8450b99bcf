/** `mim doctor`: one screen that tells what this machine gives mim, and what to do about what is missing. */
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

/** The engine that training takes where no option names one. */
function engineFinding({ tensorflow, wasm }: Libraries): Finding {
  const asked = process.env['MIM_ENGINE'] ?? 'auto'
  const works = { auto: tensorflow || wasm, tensorflow, wasm }
  if (!(asked in works)) {
    return problem('engine', `MIM_ENGINE is '${asked}'`, `set MIM_ENGINE to one of ${engineNames.join(', ')}`)
  }
  if (!works[asked as keyof typeof works]) return problem('engine', `${asked} does not work`, 'see the lines below')
  if (asked !== 'auto') return ok('engine', `${asked}, as MIM_ENGINE says`)
  if (tensorflow) return ok('engine', 'auto takes tensorflow')
  return note('engine', 'auto takes wasm, several times slower', 'make the tensorflow engine work: see its line')
}

function screen(findings: Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length))
  const lines = findings.flatMap(({ mark, what, value, remedy }) => [
    `${mark.padEnd('problem'.length)}  ${what.padEnd(width)}  ${value}`,
    ...(remedy ? [`${' '.repeat('problem'.length + 2)}→ ${remedy}`] : []),
  ])
  return `${lines.join('\n')}\n`
}
