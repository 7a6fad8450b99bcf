/**
 * Signals that ask the process to end: Ctrl-C (SIGINT), `kill` (SIGTERM) and a closed terminal (SIGHUP). All mean the
 * same; the exit code says which it was, as shells count: 128 and the number of the signal.
 */
import { constants } from 'node:os'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

let received: NodeJS.Signals | undefined

/** Exit code after the last of these signals; the code of Ctrl-C before one. */
export const interruptedCode = () => 128 + constants.signals[received ?? 'SIGINT']

/** Until it is disposed, the first of these signals calls `stop`; the next one ends the process at once. */
export function onInterrupt(stop: () => void): Disposable {
  let isStopping = false
  const listener = (signal: NodeJS.Signals) => {
    received = signal
    // An inner piece of work decides for the outer ones.
    if (listeners.at(-1) !== listener) return
    if (isStopping) process.exit(interruptedCode())
    isStopping = true
    stop()
  }
  listeners.push(listener)
  for (const signal of signals) process.on(signal, listener)
  return {
    [Symbol.dispose]() {
      listeners.splice(listeners.indexOf(listener), 1)
      for (const signal of signals) process.off(signal, listener)
    },
  }
}

const listeners: ((signal: NodeJS.Signals) => void)[] = []

/** Until it is disposed, these signals end the process at once, where no piece of work says otherwise. */
export function endOnInterrupt(): Disposable {
  return onInterrupt(() => {
    process.stderr.write('interrupted; run the same command again\n')
    process.exit(interruptedCode())
  })
}
