import { Interrupted, UserError } from '../base/errors.js'
import { checkFolder } from '../base/places.js'
import { onInterrupt } from '../base/processes/signals.js'
import {
  generateLarge,
  generateSample,
  generateSearches,
  type Progress,
  type SampleSize,
  subsample,
} from '../sample/index.js'
import { type Bar, Terminal } from '../train/terminal.js'
import type * as declarations from './declarations.js'
import type { OptionsOf } from './options.js'
import { print } from './stageCommand.js'

type Flags = OptionsOf<typeof declarations.sample>

/** Behaviors before each impression of `--impressions`. */
const defaultHistory = 50

/** Generates a data set, or takes a part of one with --from; prints a summary. */
export async function run(flags: Flags): Promise<void> {
  const {
    out,
    size = 'small',
    from,
    users,
    otherItems,
    impressions,
    history = defaultHistory,
    behaviors,
    seed,
    json,
  } = flags
  checkTogether(flags)
  checkFolder(out, '--out')
  const terminal = new Terminal()
  const { summary, isNew } = await withProgress<{ summary: object; isNew: boolean }>(terminal, (progress) => {
    if (from !== undefined) return subsample({ from, users: users!, otherItems, out, seed }, progress)
    if (impressions !== undefined) return generateLarge({ out, impressions, history, seed }, progress)
    if (behaviors !== undefined) return generateSearches({ out, behaviors, seed }, progress)
    return generateSample({ out, size: toSize(size), seed }, progress)
  })
  if (!isNew) terminal.say(`${out} is there already, made with the same parameters; nothing to do`)
  print({ ...summary }, json)
}

/** @throws UserError `option-conflict`, `option-missing` */
function checkTogether({ size, from, users, otherItems, impressions, behaviors, history }: Flags): void {
  const conflict = (what: string, remedy: string) => new UserError({ id: 'option-conflict', what, remedy })
  if (behaviors !== undefined) {
    const others = { '--size': size, '--from': from, '--impressions': impressions }
    const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? []
    if (other) throw conflict(`${other} with --behaviors`, 'use one of them')
  }
  if (impressions !== undefined) {
    const other = size !== undefined ? '--size' : from !== undefined ? '--from' : undefined
    if (other) throw conflict(`${other} with --impressions`, 'use one of them')
  } else if (history !== undefined) throw conflict('--history without --impressions', 'add --impressions')
  if (from === undefined) {
    const remedy = 'add --from'
    if (users !== undefined) throw conflict('--users without --from', remedy)
    if (otherItems !== undefined) throw conflict('--other-items without --from', remedy)
    return
  }
  if (size !== undefined) throw conflict('--size with --from', 'use --users to set the size of the part')
  if (users !== undefined) return
  throw new UserError({ id: 'option-missing', what: '--from without --users', remedy: 'add --users' })
}

/** A number of items, or a name, which the generator checks. */
function toSize(text: string): SampleSize {
  return /^\d+$/.test(text) ? Number(text) : (text as SampleSize)
}

/** Shows the progress of `work`. Ctrl-C stops it at the next report of progress; a second Ctrl-C stops it at once. */
async function withProgress<T>(terminal: Terminal, work: (progress: Progress) => Promise<T>): Promise<T> {
  let isInterrupted = false
  using _signals = onInterrupt(() => {
    isInterrupted = true
  })
  let current: { stage: string; bar: Bar } | undefined
  try {
    return await work((stage, done, total) => {
      if (isInterrupted) throw new Interrupted('nothing was written; run the same command again')
      if (current?.stage !== stage) {
        current?.bar.stop()
        terminal.say(`${stage} …`)
        current = { stage, bar: terminal.bar(stage, total) }
      }
      current.bar.update(done)
    })
  } finally {
    current?.bar.stop()
  }
}
