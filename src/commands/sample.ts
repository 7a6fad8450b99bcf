import { Interrupted, UserError } from '../base/errors.js'
import {
  generateLarge,
  generateSample,
  generateSearches,
  type Progress,
  type SampleSize,
  subsample,
} from '../sample/index.js'
import { type Bar, Terminal } from '../train/terminal.js'
import { print } from './stageCommand.js'

export interface SampleFlags {
  out: string
  size?: string
  from?: string
  users?: number
  otherItems?: number
  impressions?: number
  behaviors?: number
  history?: number
  seed: number
  json?: boolean
}

/** Behaviors before each impression of a large data set. */
const defaultHistory = 50

/** Makes a data set up, or cuts one with --from; prints what it holds. */
export async function run(flags: SampleFlags): Promise<void> {
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
  const terminal = new Terminal()
  const { summary, isNew } = await withProgress<{ summary: object; isNew: boolean }>(terminal, (progress) => {
    if (from !== undefined) return subsample({ from, users: users!, otherItems, out, seed }, progress)
    if (impressions !== undefined) return generateLarge({ out, impressions, history, seed }, progress)
    if (behaviors !== undefined) return generateSearches({ out, behaviors, seed }, progress)
    return generateSample({ out, size: toSize(size), seed }, progress)
  })
  if (!isNew) terminal.say(`${out} is there already, made from the same parameters; nothing to do`)
  print({ ...summary }, json)
}

/** @throws UserError `option-conflict`, `option-missing` */
function checkTogether({ size, from, users, otherItems, impressions, behaviors, history }: SampleFlags): void {
  const conflict = (what: string, remedy: string) => new UserError({ id: 'option-conflict', what, remedy })
  if (behaviors !== undefined) {
    const others = { '--size': size, '--from': from, '--impressions': impressions }
    const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? []
    if (other) throw conflict(`${other} with --behaviors`, 'choose one of them')
  }
  if (impressions !== undefined) {
    const other = size !== undefined ? '--size' : from !== undefined ? '--from' : undefined
    if (other) throw conflict(`${other} with --impressions`, 'choose one of them')
  } else if (history !== undefined)
    throw conflict('--history without --impressions', 'say how many impressions to make')
  if (from === undefined) {
    const remedy = 'name with --from the data set to cut'
    if (users !== undefined) throw conflict('--users without --from', remedy)
    if (otherItems !== undefined) throw conflict('--other-items without --from', remedy)
    return
  }
  if (size !== undefined) throw conflict('--size with --from', 'say with --users how much to cut')
  if (users !== undefined) return
  throw new UserError({ id: 'option-missing', what: '--from without --users', remedy: 'say how many users to keep' })
}

/** A number of items, or a name; whether there is one of that name is seen when it is made. */
function toSize(text: string): SampleSize {
  return /^\d+$/.test(text) ? Number(text) : (text as SampleSize)
}

/** Shows the stages of `work` one after the other; Ctrl-C stops it, and a second time at once. */
async function withProgress<T>(terminal: Terminal, work: (progress: Progress) => Promise<T>): Promise<T> {
  let isInterrupted = false
  const onSignal = () => {
    isInterrupted = true
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  let current: { stage: string; bar: Bar } | undefined
  try {
    return await work((stage, done, total) => {
      if (isInterrupted) throw new Interrupted('nothing was made; run the same command again')
      if (current?.stage !== stage) {
        current?.bar.stop()
        terminal.say(`${stage} …`)
        current = { stage, bar: terminal.bar(stage, total) }
      }
      current.bar.update(done)
    })
  } finally {
    current?.bar.stop()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}
