/** The command line. Commands are loaded when they run, so that help and errors come at once. */
import { Argument, Command, CommanderError, Option } from 'commander'
import { Interrupted, UserError } from './base/errors.js'

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

/** The value of an option that may come more than once: a list, if it does. */
function several(value: string, before?: string | string[]): string | string[] {
  return before === undefined ? value : [before, value].flat()
}

function program(): Command {
  const mim = new Command('mim')
    .description('Click prediction that understands what people like to look at and read.')
    .version('0.1.0')
    .exitOverride()
    // What follows the name of a command belongs to that one: `mim ctr` has options, and commands below it too.
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for the options)')
  mim
    .command('sample')
    .description('make up a data set whose truth is known, or cut a part out of any data set')
    .requiredOption('-o, --out <folder>', 'folder to make; kept as it is if it was made from the same parameters')
    .option('--size <size>', 'how much to make up: tiny, small, medium or a number of items (default: small)')
    .option('--impressions <n>', 'make up so many impressions instead, without pictures but with vectors', number)
    .option('--history <n>', 'with --impressions: behaviors before each of them (default: 50)', number)
    .option(
      '--behaviors <n>',
      'make up a log of so many searches, clicks and purchases instead, without pictures',
      number,
    )
    .option('--from <folder>', 'cut from this data set instead: some users, all they did, and the items of it')
    .option('--users <n>', 'with --from: how many users to keep', number)
    .option('--other-items <share>', 'with --from: share to keep of the items they never met (default: 0.1)', number)
    .option('--seed <n>', 'same seed, same data set', number, 1)
    .option('--json', 'print what it holds as one JSON object on standard output')
    .action(async (flags) => (await import('./commands/sample.js')).run(flags))
  training(mim, 'pretrain', 'adapt an image-text foundation model to the catalogue')
    .option('--init <folder>', 'Hugging Face folder, or hf:owner/name, to start from (init)')
    .option('--epochs <n>', 'passes over the items (train.epochs)', number)
    .option('--batch <n>', 'pairs of a step (train.batch)', number)
    .option('--precision <name>', 'fp32, bf16 or auto: what matrix products multiply in')
    .action(async (flags) => (await import('./commands/pretrain.js')).run(flags))
  training(mim, 'sft', 'align the vectors with what users choose (C-SFT)')
    .option('--init <folder>', 'checkpoint of stage 1, or hf:owner/name (init)')
    .option('--epochs <n>', 'passes over the positives (train.epochs)', number)
    .option('--batch <n>', 'positives of a step (train.batch)', number)
    .option('--precision <name>', 'fp32, bf16 or auto: what matrix products multiply in')
    .option('--ablate <parts>', 'train again without each part of these kinds: negatives,levels,positives')
    .option('--seeds <list>', 'with --ablate: seeds of each run, such as 1,2,3 (default: the one seed)')
    .action(async (flags) => (await import('./commands/sft.js')).run(flags))
  const embed = command(mim, 'embed', 'extract the item vectors in batch with ONNX Runtime; again: only what changed')
    .option('--checkpoint <folder>', 'encoder: a run of pretrain or sft, any Hugging Face folder, or hf:owner/name')
    .option('--provider <name>', 'auto, cuda, webgpu or cpu')
    .option('--batch <n>', 'items of one run of the encoder, or auto: tried out', number)
    .option('--dim <n>', 'keep the first numbers of each vector only, back at unit norm (dim)', number)
    .option('--words <share>', 'share of the words of titles in the cosine of two items (words)', number)
    .option('--precision <precision>', 'fp32, or fp16 for a GPU (precision)')
    .option('--type <type>', 'float32 or int8 (type)')
    .option('--keep-missing', 'keep the vectors of items that left the catalogue (keepMissing)')
    .option('--dry-run', 'only tell how many items are new, changed, unchanged and gone')
    .option('--shard <i/n>', 'a share of the items, e.g. 0/4; auto/4: the index is the scheduler’s (Kubernetes, Slurm)')
    .action(async (flags) => (await import('./commands/embed/extract.js')).run(flags))
  embed
    .command('merge')
    .description('publish the rows of all shards below the run folder as one table')
    .option('-o, --out <folder>', 'run folder that the shards were given', 'runs/embed')
    .option('--keep-missing', 'keep the vectors of items that left the catalogue')
    .option('--keep-tables <n>', 'tables kept side by side, the published one included', number, 2)
    .option('--json', 'print the results as one JSON object on standard output')
    .action(async (flags) => (await import('./commands/embed/extract.js')).merge(flags))
  embed
    .command('check')
    .description('tell whether a table can be trusted: coverage, norms, duplicates, collapse, drift')
    .argument('<table>', 'embeddings folder, or the run folder that has it')
    .option('--against <table>', 'an older table: how far each item moved')
    .option('--data <folder>', 'folder that the paths below start from', '.')
    .option('--items <path>', 'catalogue, for drift by category', 'items.parquet')
    .option('--impressions <path>', 'log whose items are the targets')
    .option('--behaviors <path>', 'log whose items are the histories')
    .option('--id-column <name>', 'column of item ids in all of these', 'item_id')
    .option('--category-column <name>', 'column of categories in the catalogue', 'category')
    .option('--json', 'print the findings as one JSON object on standard output')
    .action(async (table, flags) => (await import('./commands/embed/check.js')).run(table, flags))
  mim
    .command('neighbors')
    .description('print the items whose vectors are nearest to that of an item, of words or of a picture')
    .argument('<table>', 'embeddings folder, or the run folder that has it')
    .option('--item <id>', 'whose neighbors')
    .option('--text <words>', 'what the items should be like')
    .option('--image <file>', 'what the items should look like; with --text both')
    .option('-k <n>', 'how many', number, 10)
    .option('--index', 'by an approximate index (HNSW), made once, and tell its recall against the exact answer')
    .option('--recall-items <n>', 'with --index: random items that the recall is measured on', number, 100)
    .option('--html <file>', 'write a gallery with pictures')
    .option('--data <folder>', 'where the catalogue is; default: as the run was told')
    .option('--checkpoint <folder>', 'encoder of --text and --image; default: that of the run')
    .option('--json', 'print them as one JSON object on standard output')
    .action(async (table, flags) => (await import('./commands/embed/neighbors.js')).run(table, flags))
  const ctr = training(mim, 'ctr', 'train the click model that joins ids and content interest')
    .option('--model <name>', 'din, sim-hard, sim-soft, content, concat or ciubm (model.name)')
    .option(
      '--embeddings <folder>',
      'content vectors made by mim embed; of several tables, once for each (data.embeddings)',
      several,
    )
    .option('--epochs <n>', 'passes over the training impressions at most (train.epochs)', number)
    .option('--batch <n>', 'impressions of a step (train.batch)', number)
    .option('--strict', 'stop where a feature gives the label away (data.leaks)')
    .action(async (flags) => (await import('./commands/ctr/train.js')).run(flags))
  ctr
    .command('compare')
    .description('hold one click model against another: differences with intervals, and for which items and users')
    .argument('<a>', 'run of mim ctr, or a folder with the runs of one model, a seed each')
    .argument('<b>', 'the same, of the model that is subtracted')
    .option('--json', 'print the comparison as one JSON object on standard output')
    .action(async (a, b, flags) => (await import('./commands/ctr/compare.js')).run(a, b, flags))
  ctr
    .command('predict')
    .description('score impressions with a trained click model on ONNX Runtime')
    .argument('<run>', 'finished run of mim ctr')
    .requiredOption('-o, --out <file>', 'Parquet file to write')
    .option('--data <folder>', 'folder that paths of data start from (data.root)')
    .option('--impressions <path>', 'what to score; needs no labels (data.impressions)')
    .option('--behaviors <path>', 'what histories are built from (data.behaviors)')
    .option(
      '--embeddings <folder>',
      'content vectors, of new items too; as often as in training (data.embeddings)',
      several,
    )
    .option('--explain [n]', 'name the n behaviors (5) of the greatest attention and similarity', number)
    .option('--provider <name>', 'auto, cuda, webgpu or cpu', 'auto')
    .option('--threads <n>', 'threads of the CPU provider; 0: one for each core', number, 0)
    .option('--json', 'print what was done as one JSON object on standard output')
    .action(async (run, flags) => (await import('./commands/ctr/predict.js')).run(run, flags))
  ctr
    .command('evaluate')
    .description('AUC, GAUC, log loss and calibration of scored impressions, however many')
    .argument('<file>', 'Parquet: predictions of mim ctr, or any table of labels and probabilities')
    .option('--label <column>', '0 or 1', 'label')
    .option('--score <column>', 'predicted probability', 'probability')
    .option('--group <column>', 'whose impressions GAUC takes together', 'user_id')
    .option('--memory <size>', 'memory for counting; what needs more goes through temporary files', '2GB')
    .option('--json', 'print the metrics as one JSON object on standard output')
    .action(async (file, flags) => (await import('./commands/ctr/evaluate.js')).run(file, flags))
  trials(
    ctr,
    'grid',
    'train a table of click models, each for several seeds, and hold them against one of them',
  ).action(async (flags) => (await import('./commands/ctr/grid.js')).run(flags))
  trials(ctr, 'tune', 'search options of the click model in given ranges, judged on the validation period')
    .option('--trials <n>', 'trials in all (trials)', number)
    .option('--time <time>', 'begin no trial after a time such as 30m or 2h (time)')
    .action(async (flags) => (await import('./commands/ctr/tune.js')).run(flags))
  mim
    .command('compare')
    .description('set click models side by side: means over seeds, gain over the baseline with its interval')
    .argument('<folders...>', 'runs of mim ctr, or folders with runs of any stage below')
    .option('-o, --out <folder>', 'where summary.json goes')
    .option('--json', 'print the comparison as one JSON object on standard output')
    .action(async (folders, flags) => (await import('./commands/compare.js')).run(folders, flags))
  configurable(mim.command('config'))
    .description('print every option of a stage with what it does and its value, as a file for --config')
    .addArgument(new Argument('<stage>', 'whose options').choices(['pretrain', 'sft', 'embed', 'ctr', 'grid', 'tune']))
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
    .option('--max-time <time>', 'end after a time such as 30m or 2h; --resume goes on (train.maxTime)')
    .addOption(
      new Option('--dry-run', 'do a few steps and tell what the run would take; no run folder').conflicts([
        'resume',
        'overwrite',
      ]),
    )
}

/** A command that trains click models by a file of its own; what is trained already is kept. */
function trials(ctr: Command, name: string, description: string): Command {
  return configurable(ctr.command(name))
    .description(`${description}; run again to go on`)
    .option('--data <folder>', 'folder that paths of data start from (data.root)')
    .option('-o, --out <folder>', 'folder of the runs and the results', `runs/${name}`)
    .option('--engine <name>', 'auto, tensorflow or wasm (or MIM_ENGINE)')
    .option('--device <name>', 'auto, cpu or gpu')
    .option('--json', 'print the results as one JSON object on standard output')
}

/** The options that a configuration comes from. */
function configurable(command: Command): Command {
  const collect = (text: string, all: string[]) => [...all, text]
  return command
    .option('-c, --config <file>', 'YAML file, or the name of a preset such as market/pretrain')
    .option('--set <path=value>', 'set any option, may be repeated; `mim config` lists them', collect, [])
}
