/** Arguments and options of `mim embed` and `mim neighbors`. Loaded for `mim --help`: it imports no stage. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { number, stage } from '../options.js'

const keepMissing = ['--keep-missing', 'keep vectors of items that left the catalogue (keepMissing)'] as const

export const extract = (mim: CommandUnknownOpts) =>
  stage(mim, 'embed', 'compute content vectors of all items with ONNX Runtime; later runs update what changed')
    .optionsGroup('Extraction:')
    .option('--checkpoint <folder>', 'encoder: checkpoint of pretrain or sft, a Hugging Face folder, or hf:owner/name')
    .option('--provider <name>', 'ONNX Runtime provider: auto, cuda, webgpu or cpu (provider)')
    .option('--batch <n>', 'batch size in items; auto: measured (batch)', number)
    .option('--dim <n>', 'keep the first n dimensions, normalized again (Matryoshka; dim)', number)
    .option('--words <share>', 'weight of the words of titles in the cosine of two items (words)', number)
    .option('--precision <name>', 'precision of matrix products: fp32, or fp16 on a GPU (precision)')
    .option('--type <type>', 'storage type of vectors: float32 or int8 (type)')
    .option(...keepMissing)
    .option('--dry-run', 'only count new, changed, unchanged and missing items')
    .option('--shard <i/n>', 'part i of n of the items, such as 0/4; auto/4: i from Kubernetes or Slurm')

export const merge = (embed: CommandUnknownOpts) =>
  embed
    .command('merge')
    .description('merge all shards below the run folder into one published table')
    .option('-o, --out <folder>', 'run folder of the shards', 'runs/embed')
    .option(...keepMissing)
    .option('--keep-tables <n>', 'versions of the table to keep, the published one included', number, 2)
    .option('--json', 'print the results as JSON')

const table = ['<table>', 'embeddings folder, or the run folder that contains it'] as const

export const check = (embed: CommandUnknownOpts) =>
  embed
    .command('check')
    .description('check an embedding table: its files and checksums, coverage, norms, duplicates, collapse and drift')
    .argument(...table)
    .option('--against <table>', 'older table, to measure how far each item moved')
    .option('--data <folder>', 'folder in which the tables below may be, besides the working folder')
    .option('--items <path>', 'catalogue, for drift by category (default: items.parquet if it is there)')
    .option('--impressions <path>', 'log of targets, for coverage')
    .option('--behaviors <path>', 'log of histories, for coverage')
    .option('--id-column <name>', 'item id column in all of these', 'item_id')
    .option('--category-column <name>', 'category column of the catalogue', 'category')
    .option('--json', 'print the findings as JSON')

export const neighbors = (mim: CommandUnknownOpts) =>
  mim
    .command('neighbors')
    .description('list the nearest neighbors of an item, a text or a picture')
    .argument(...table)
    .option('--item <id>', 'query by item')
    .option('--text <words>', 'query by text')
    .option('--image <file>', 'query by picture; with --text: by both')
    .option('-k <n>', 'number of neighbors', number, 10)
    .option('--index', 'search an approximate index (HNSW), built on first use, and report its recall')
    .option('--recall-items <n>', 'random items to measure the recall of the index with', number, 100)
    .option('--html <file>', 'write a gallery with pictures')
    .option('--data <folder>', 'data folder with the catalogue (default: as in the run)')
    .option('--checkpoint <folder>', 'encoder of --text and --image (default: as in the run)')
    .option('--json', 'print the neighbors as JSON')
