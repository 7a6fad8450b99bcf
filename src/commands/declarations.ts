/** Arguments and options of the commands in this folder. Loaded for `mim --help`: it imports no stage. */
import { Argument, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { configurable, encoderStage, number } from './options.js'

export const sample = (mim: CommandUnknownOpts) =>
  mim
    .command('sample')
    .description('generate a synthetic data set with known truth, or take a part of an existing data set')
    .requiredOption('-o, --out <folder>', 'folder to write; kept if it was made with the same parameters')
    .option('--size <size>', 'tiny, small, medium or a number of items (default: small)')
    .option('--impressions <n>', 'generate n impressions with content vectors instead of pictures', number)
    .option('--history <n>', 'behaviors before each impression, with --impressions (default: 50)', number)
    .option('--behaviors <n>', 'generate a log of n searches, clicks and purchases without pictures', number)
    .option('--from <folder>', 'take a part of this data set: some users, their rows and the items in these')
    .option('--users <n>', 'users to keep, with --from', number)
    .option('--other-items <share>', 'share of all other items to keep, with --from (default: 0.1)', number)
    .option('--seed <n>', 'random seed; the same seed gives the same data set', number, 1)
    .option('--json', 'print the summary as JSON')

export const pretrain = (mim: CommandUnknownOpts) =>
  encoderStage(mim, 'pretrain', 'adapt an image-text foundation model to the catalogue (stage 1)', 'pairs').option(
    '--init <folder>',
    'Hugging Face folder or hf:owner/name to start from (init)',
  )

export const sft = (mim: CommandUnknownOpts) =>
  encoderStage(mim, 'sft', 'align content vectors with user behavior (C-SFT, stage 2)', 'positives')
    .option('--init <folder>', 'checkpoint of stage 1, or hf:owner/name (init)')
    .option('--ablate <parts>', 'run an ablation study: train without each part of negatives,levels,positives')
    .option('--seeds <list>', 'seeds of the ablation study, such as 1,2,3 (default: the seed of the configuration)')

export const compare = (mim: CommandUnknownOpts) =>
  mim
    .command('compare')
    .description('compare click models: means over seeds and the gain over the baseline, with intervals')
    .argument('<folders...>', 'runs of mim ctr, or folders that contain runs of any stage')
    .option('-o, --out <folder>', 'folder for summary.json and report.html')
    .option('--json', 'print the comparison as JSON')

const stages = ['pretrain', 'sft', 'embed', 'ctr', 'grid', 'tune'] as const

export const config = (mim: CommandUnknownOpts) =>
  configurable(
    mim,
    'config',
    'print all options of a stage with descriptions and values, as a file for --config',
  ).addArgument(new Argument('<stage>', 'stage or study').choices(stages))

export const doctor = (mim: CommandUnknownOpts) =>
  mim
    .command('doctor')
    .description('check this machine: engines, GPU, libraries, memory and disk, with remedies')
    .option('--json', 'print the findings as JSON')
