/** The command line. Commands are loaded when they run, so that help and errors come at once. */
import { Argument, Command, CommanderError } from 'commander'
import { Interrupted, UserError } from './errors.js'

export async function main(argv: string[]): Promise<void> {
  try {
    await program().parseAsync(argv)
  } catch (error) {
    process.exitCode = report(error)
  }
}

/** Tells the person what went wrong; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof UserError || error instanceof Interrupted) {
    process.stderr.write(`${error instanceof UserError ? `error [${error.id}]: ` : ''}${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(`internal error: ${error instanceof Error ? error.stack : error}\n`)
  return 1
}

/** A number, or the text that is none: the schema then refuses it by name and value. */
function number(text: string): number | string {
  return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
}

function program(): Command {
  const mim = new Command('mim')
    .description('Click prediction that understands what people like to look at and read.')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(add --help for the options)')
  mim
    .command('sample')
    .description('make up a data set whose truth is known, or cut a part out of any data set')
    .requiredOption('-o, --out <folder>', 'folder to make; kept as it is if it was made from the same parameters')
    .option('--size <size>', 'how much to make up: tiny, small, medium or a number of items (default: small)')
    .option('--from <folder>', 'cut from this data set instead: some users, all they did, and the items of it')
    .option('--users <n>', 'with --from: how many users to keep', number)
    .option('--other-items <share>', 'with --from: share to keep of the items they never met (default: 0.1)', number)
    .option('--seed <n>', 'same seed, same data set', number, 1)
    .option('--json', 'print what it holds as one JSON object on standard output')
    .action(async (flags) => (await import('./commands/sample.js')).run(flags))
  training(mim, 'pretrain', 'adapt an image-text foundation model to the catalogue')
    .option('--init <folder>', 'Hugging Face folder to start from (init)')
    .option('--epochs <n>', 'passes over the items (train.epochs)', number)
    .option('--batch <n>', 'pairs of a step (train.batch)', number)
    .action(async (flags) => (await import('./commands/pretrain.js')).run(flags))
  training(mim, 'sft', 'align the vectors with what users choose (C-SFT)')
    .option('--init <folder>', 'checkpoint of stage 1 (init)')
    .option('--epochs <n>', 'passes over the positives (train.epochs)', number)
    .option('--batch <n>', 'positives of a step (train.batch)', number)
    .action(async (flags) => (await import('./commands/sft.js')).run(flags))
  command(mim, 'embed', 'extract the item vectors in batch with ONNX Runtime')
    .option('--checkpoint <folder>', 'encoder: a run of pretrain or sft, or any Hugging Face folder')
    .option('--provider <name>', 'auto, cuda or cpu')
    .option('--batch <n>', 'items of one run of the encoder', number)
    .action(async (flags) => (await import('./commands/embed.js')).run(flags))
  training(mim, 'ctr', 'train the click model that joins ids and content interest')
    .option('--model <name>', 'din, content or ciubm (model.name)')
    .option('--embeddings <folder>', 'content vectors made by mim embed (data.embeddings)')
    .option('--epochs <n>', 'passes over the training impressions at most (train.epochs)', number)
    .option('--batch <n>', 'impressions of a step (train.batch)', number)
    .action(async (flags) => (await import('./commands/ctr.js')).run(flags))
  mim
    .command('compare')
    .description('set click models side by side: means over seeds, gain over the baseline with its interval')
    .argument('<folders...>', 'runs of mim ctr, or folders with runs of any stage below')
    .option('-o, --out <folder>', 'where summary.json goes')
    .option('--json', 'print the comparison as one JSON object on standard output')
    .action(async (folders, flags) => (await import('./commands/compare.js')).run(folders, flags))
  configurable(mim.command('config'))
    .description('print every option of a stage with what it does and its value, as a file for --config')
    .addArgument(new Argument('<stage>', 'whose options').choices(['pretrain', 'sft', 'embed', 'ctr']))
    .action(async (stage, flags) => (await import('./commands/config.js')).run(stage, flags))
  mim
    .command('doctor')
    .description(
      'tell what this machine gives mim: engines, GPU, libraries, room; and what to do about what is missing',
    )
    .option('--json', 'print the findings as one JSON object on standard output')
    .action(async (flags) => (await import('./commands/doctor.js')).run(flags))
  return mim
}

/** A stage with the options that every stage has. */
function command(mim: Command, name: string, description: string): Command {
  return configurable(mim.command(name))
    .description(description)
    .option('--data <folder>', 'folder that paths of data start from (data.root)')
    .option('-o, --out <folder>', 'run folder', `runs/${name}`)
    .option('--overwrite', 'remove a run in the folder first')
    .option('--json', 'print the results as one JSON object on standard output')
}

/** A stage that trains. */
function training(mim: Command, name: string, description: string): Command {
  return command(mim, name, description)
    .option('--resume', 'go on where a run in the folder stopped; start if there is none')
    .option('--seed <n>', 'same seed, same engine, same result', number)
    .option('--engine <name>', 'auto, tensorflow or wasm (or MIM_ENGINE)')
    .option('--device <name>', 'auto, cpu or gpu')
}

/** The options that a configuration comes from. */
function configurable(command: Command): Command {
  const collect = (text: string, all: string[]) => [...all, text]
  return command
    .option('-c, --config <file>', 'YAML file, or the name of a preset such as market/pretrain')
    .option('--set <path=value>', 'set any option, may be repeated; `mim config` lists them', collect, [])
}
