/** Options that several commands share, and how their values are read. Loaded for `mim --help`: it imports no stage. */
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'

/** The parsed options of a command, given the function that declares it. */
export type OptionsOf<Declare extends (...parameters: never[]) => { opts(): unknown }> = ReturnType<
  ReturnType<Declare>['opts']
>

/**
 * A number. Other text stays text, despite the type: every consumer checks its numbers and quotes the user's value in
 * its error, with the path of the option where it belongs to a configuration.
 */
export function number(text: string): number {
  const isNumber = text.trim() !== '' && !Number.isNaN(Number(text))
  return isNumber ? Number(text) : (text as unknown as number)
}

/** The value of an option that may be repeated: a list if it is. */
export function repeatable(value: string, before?: string | string[]): string | string[] {
  return before === undefined ? value : [before, value].flat()
}

/** A command with a configuration. */
export function configurable(parent: CommandUnknownOpts, name: string, description: string) {
  const append = (text: string, list: string[] = []) => [...list, text]
  return parent
    .command(name)
    .description(description)
    .optionsGroup('Configuration:')
    .option(
      '-c, --config <file>',
      'YAML file, or the name of a preset such as market/pretrain; repeatable: later ones are merged over earlier ones',
      append,
    )
    .option('--set <path=value>', 'set any option of the configuration; repeatable (see mim config)', append)
}

const dataOption = ['--data <folder>', 'folder that relative paths of tables start from (data.root)'] as const
const jsonOption = ['--json', 'print the results as JSON'] as const

/** A stage. */
export function stage(parent: CommandUnknownOpts, name: string, description: string) {
  return configurable(parent, name, description)
    .option(...dataOption)
    .optionsGroup('Run:')
    .option('-o, --out <folder>', 'run folder', `runs/${name}`)
    .option(
      '--overwrite',
      'replace the run in the output folder, which is kept until the new one has a state or results',
    )
    .option(...jsonOption)
}

/** A stage that trains. */
export function trainingStage(parent: CommandUnknownOpts, name: string, description: string) {
  return stage(parent, name, description)
    .option('--resume', 'continue the run in the output folder; start one if there is none')
    .option('--accept-changed', 'with --resume: continue although tables, pictures or checkpoints have changed')
    .option('--max-time <time>', 'stop after a time such as 30m or 2h; --resume continues (train.maxTime)')
    .addOption(
      new Option('--dry-run', 'run a few steps, estimate the cost of the whole run, and leave no files').conflicts([
        'resume',
        'overwrite',
      ]),
    )
    .optionsGroup('Training:')
    .option('--seed <n>', 'random seed; the same seed and engine give the same result on a CPU (seed)', number)
    .option('--engine <name>', 'training engine: auto, tensorflow or wasm (engine, MIM_ENGINE)')
    .option('--device <name>', 'device of the tensorflow engine: auto, cpu or gpu (device)')
}

/** A stage that trains encoders. */
export function encoderStage(parent: CommandUnknownOpts, name: string, description: string, batch: string) {
  return trainingStage(parent, name, description)
    .option('--epochs <n>', 'training epochs (train.epochs)', number)
    .option('--batch <n>', `batch size, in ${batch} (train.batch)`, number)
    .option('--precision <name>', 'precision of matrix products: fp32, bf16 or auto (precision)')
}

/** A command that trains many click models as its own configuration file says. */
export function study(parent: CommandUnknownOpts, name: string, description: string) {
  return configurable(parent, name, `${description}; run again to continue`)
    .option(...dataOption)
    .optionsGroup('Study:')
    .option('-o, --out <folder>', 'folder for runs and results', `runs/${name}`)
    .option('--engine <name>', 'training engine: auto, tensorflow or wasm (MIM_ENGINE)')
    .option('--device <name>', 'device of the tensorflow engine: auto, cpu or gpu')
    .option(...jsonOption)
}
