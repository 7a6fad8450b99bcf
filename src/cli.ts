/** The command line. A command's code is loaded when it runs, so that help and errors appear at once. */
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { UserError } from './base/errors.js'
import { expectedError } from './base/places.js'
import { endOnInterrupt, interruptedCode } from './base/processes/signals.js'
import { nearest } from './base/suggest.js'
import * as ctr from './commands/ctr/declarations.js'
import * as top from './commands/declarations.js'
import * as embed from './commands/embed/declarations.js'

export async function main(argv: string[]): Promise<void> {
  using _signals = endOnInterrupt()
  try {
    const mim = program()
    checkSubcommand(mim, argv.slice(2))
    await mim.parseAsync(argv)
  } catch (error) {
    process.exitCode = report(error)
  }
}

/** A word after a command that takes none is a subcommand with a slip; commander counts it as an argument too many. */
function checkSubcommand(mim: CommandUnknownOpts, [name, word]: string[]): void {
  const command = mim.commands.find((one) => one.name() === name)
  if (!command || command.commands.length === 0 || word === undefined || word.startsWith('-')) return
  const known = command.commands.map((one) => one.name())
  if (known.includes(word)) return
  const similar = nearest(word, known)
  throw new UserError({
    id: 'command-unknown',
    what: `mim ${name} has no command '${word}'`,
    ...(similar ? { remedy: `did you mean 'mim ${name} ${similar}'?` } : { expected: `one of ${known.join(', ')}` }),
  })
}

/** Writes what went wrong to standard error, with MIM_DEBUG also where; returns the exit code. */
export function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
  const error = expectedError(thrown)
  if (error) {
    process.stderr.write(`${error instanceof UserError ? `error [${error.id}]: ` : ''}${error.message}\n`)
    if (process.env['MIM_DEBUG']) process.stderr.write(`${inspect(error)}\n`)
    return error instanceof UserError ? error.exitCode : interruptedCode()
  }
  process.stderr.write(`internal error: ${thrown instanceof Error ? thrown.stack : thrown}\n`)
  return 1
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function program(): CommandUnknownOpts {
  const mim = new Command('mim')
    .description('Click prediction from pictures, titles and behavior logs.')
    .version(version())
    .exitOverride()
    // Options after the name of a subcommand belong to the subcommand: `mim ctr` has both options and subcommands.
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for usage)')
    .addHelpText('after', examples)
  mim.commandsGroup('Data:')
  top.sample(mim).action(async (flags) => (await import('./commands/sample.js')).run(flags))
  mim.commandsGroup('Stages, in this order:')
  top.pretrain(mim).action(async (flags) => (await import('./commands/pretrain.js')).run(flags))
  top.sft(mim).action(async (flags) => (await import('./commands/sft.js')).run(flags))
  addEmbed(mim)
  addCtr(mim)
  mim.commandsGroup('Results:')
  top.compare(mim).action(async (folders, flags) => (await import('./commands/compare.js')).run(folders, flags))
  embed.neighbors(mim).action(async (path, flags) => (await import('./commands/embed/neighbors.js')).run(path, flags))
  mim.commandsGroup('Set-up:').helpCommand('help [command]', 'show help for a command')
  top.config(mim).action(async (stage, flags) => (await import('./commands/config.js')).run(stage, flags))
  top.doctor(mim).action(async (flags) => (await import('./commands/doctor.js')).run(flags))
  return mim
}

function addEmbed(mim: CommandUnknownOpts): void {
  const command = embed.extract(mim).action(async (flags) => (await import('./commands/embed/extract.js')).run(flags))
  embed.merge(command).action(async (flags) => (await import('./commands/embed/extract.js')).merge(flags))
  embed.check(command).action(async (path, flags) => (await import('./commands/embed/check.js')).run(path, flags))
}

function addCtr(mim: CommandUnknownOpts): void {
  const command = ctr.train(mim).action(async (flags) => (await import('./commands/ctr/train.js')).run(flags))
  ctr.compare(command).action(async (a, b, flags) => (await import('./commands/ctr/compare.js')).run(a, b, flags))
  ctr.predict(command).action(async (run, flags) => (await import('./commands/ctr/predict.js')).run(run, flags))
  ctr.evaluate(command).action(async (file, flags) => (await import('./commands/ctr/evaluate.js')).run(file, flags))
  ctr.grid(command).action(async (flags) => (await import('./commands/ctr/grid.js')).run(flags))
  ctr.tune(command).action(async (flags) => (await import('./commands/ctr/tune.js')).run(flags))
}

const examples = `
Examples:
  mim sample --size tiny --out data                generate a small data set
  mim pretrain --data data --out runs/pretrain     adapt the encoder
  mim ctr --data data --model din --out runs/din   train a click model without content
  mim config ctr                                   print all options of a stage

Every stage writes a run folder with metrics.json, report.html and the model.`
