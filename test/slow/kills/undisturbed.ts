/** Cases run undisturbed, each once and when first needed. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { generateSample } from '../../../src/sample/index.js'
import { temporaryFolder } from '../../sample/folders.js'
import { type Case, casesOn, makeInputs } from './commands.js'
import { type Call, Place, type Undisturbed } from './places.js'

export class Cases {
  private readonly running = new Map<string, Promise<Undisturbed>>()

  private constructor(
    private readonly folder: string,
    readonly list: readonly Case[],
  ) {}

  /** In a folder that is gone when the tests of the file are done. */
  static async make(): Promise<Cases> {
    const folder = await temporaryFolder()
    const inputs = mkdtempSync(join(folder, 'inputs-'))
    await makeInputs(inputs, (out) => generateSample({ out, size: 60, seed: 1 }))
    return new Cases(folder, casesOn(inputs))
  }

  /** A new folder for a case. */
  place(case_: Case): Promise<Place> {
    return Place.make(this.folder, case_, (name) => this.undisturbed(name))
  }

  undisturbed(name: string): Promise<Undisturbed> {
    const known = this.running.get(name) ?? this.run(this.list.find((one) => one.name === name)!)
    this.running.set(name, known)
    return known
  }

  private async run(case_: Case): Promise<Undisturbed> {
    const place = await this.place(case_)
    const durations: number[] = []
    const calls: Call[][] = []
    let printed: unknown
    for (const command of case_.commands.keys()) {
      const started = performance.now()
      const observed = await place.observe(command)
      durations.push(performance.now() - started)
      calls.push(observed.calls)
      printed = observed.printed
    }
    return { case_, place, printed, durations, calls }
  }
}

/** Does the jobs, `width` at a time, in their order. */
export async function inLanes(jobs: readonly (() => Promise<void>)[], width: number): Promise<void> {
  const queue = [...jobs]
  const lane = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: width }, lane))
}
