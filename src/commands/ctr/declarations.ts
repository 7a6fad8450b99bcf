/** Arguments and options of `mim ctr` and the commands below it. Loaded for `mim --help`: it imports no stage. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { number, repeatable, study, trainingStage } from '../options.js'

export const train = (mim: CommandUnknownOpts) =>
  trainingStage(mim, 'ctr', 'train a click model on ids, histories and content vectors (stage 3)')
    .option('--model <name>', 'click model, by name; mim config ctr lists them (model.name)')
    .option(
      '--embeddings <folder>',
      'content vectors of mim embed; repeatable for several tables (data.embeddings)',
      repeatable,
    )
    .option('--epochs <n>', 'maximum number of training epochs (train.epochs)', number)
    .option('--batch <n>', 'batch size, in impressions (train.batch)', number)
    .option('--strict', 'fail if a feature leaks the label (data.leaks)')

export const compare = (ctr: CommandUnknownOpts) =>
  ctr
    .command('compare')
    .description('compare two click models: differences with intervals, by item frequency and history length')
    .argument('<a>', 'run of mim ctr, or a folder with runs of one model, one per seed')
    .argument('<b>', 'baseline, likewise: its metrics are subtracted from those of <a>')
    .option('--json', 'print the comparison as JSON')

export const predict = (ctr: CommandUnknownOpts) =>
  ctr
    .command('predict')
    .description('score impressions with a trained click model on ONNX Runtime')
    .argument('<run>', 'finished run of mim ctr')
    .requiredOption('-o, --out <file>', 'Parquet file to write')
    .option('--data <folder>', 'folder of the tables that are not named here (data.root)')
    .option('--impressions <path>', 'impressions to score, from the working folder or --data; labels are not needed')
    .option('--behaviors <path>', 'behaviors to build histories from, likewise')
    .option(
      '--embeddings <folder>',
      'content vectors, also of new items; as many tables as in training (data.embeddings)',
      repeatable,
    )
    .option('--explain [n]', 'add the n behaviors (default: 5) with the highest attention and similarity', number)
    .option('--provider <name>', 'ONNX Runtime provider: auto, cuda, webgpu or cpu', 'auto')
    .option('--threads <n>', 'threads of the CPU provider; 0: one per core', number, 0)
    .option('--json', 'print a summary as JSON')

export const evaluate = (ctr: CommandUnknownOpts) =>
  ctr
    .command('evaluate')
    .description(
      'compute AUC, GAUC, log loss and calibration of scored impressions; the file may be larger than memory',
    )
    .argument('<file>', 'Parquet file of labels and probabilities, or a run of mim ctr')
    .option('--label <column>', 'label column, 0 or 1', 'label')
    .option('--score <column>', 'column of predicted probabilities', 'probability')
    .option('--group <column>', 'column to group by for GAUC', 'user_id')
    .option('--memory <size>', 'memory limit; beyond it temporary files are used', '2GB')
    .option('--json', 'print the metrics as JSON')

export const grid = (ctr: CommandUnknownOpts) =>
  study(ctr, 'grid', 'train a grid of click models for several seeds and compare them with one of them')

export const tune = (ctr: CommandUnknownOpts) =>
  study(ctr, 'tune', 'tune hyperparameters of the click model on the validation period')
    .option('--trials <n>', 'total number of trials (trials)', number)
    .option('--time <time>', 'start no trial after a time such as 30m or 2h (time)')
