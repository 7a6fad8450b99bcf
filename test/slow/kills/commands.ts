/** Every command that writes, on data so small that it takes a moment and yet several steps, evaluations and saves. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSmallCheckpoint } from '../../checkpoint/small.js'
import { query } from '../../e2e/stages.js'
import { setArguments } from '../../refusal.js'

/**
 * One command, or several in a row, in a folder of their own. Each may be run again after a kill with the same arguments.
 */
export interface Case {
  name: string
  /** Arguments of each command. */
  commands: readonly (readonly string[])[]
  /** What is in the folder before: results of other cases by name, `CASE/PATH`. */
  before?: Readonly<Record<string, string>>
  /** Results that say what one process did, not what came out. */
  ofProcess?: readonly string[]
}

/** What the cases read, in the folder `inputs`. */
export async function makeInputs(inputs: string, sample: (out: string) => Promise<unknown>): Promise<void> {
  const at = (name: string) => join(inputs, name)
  await sample(at('data'))
  mkdirSync(at('other'))
  await query(
    `COPY (SELECT * REPLACE (if(item_id % 2 = 0, title, concat(title, ' new')) AS title) FROM {items} WHERE item_id % 7 > 0
       UNION ALL SELECT * REPLACE (item_id + 1000000 AS item_id) FROM {items}) TO '${at('other/items.parquet')}' (FORMAT parquet)`,
    { items: at('data/items.parquet') },
  )
  writeSmallCheckpoint(at('checkpoint'), true)
  const rows = ['{ name: DIN, set: { model.name: din } }', '{ name: SIM, set: { model.name: sim-hard } }']
  writeFileSync(at('grid.yaml'), `set: ${JSON.stringify(clicks)}\nseeds: [1]\nbase: DIN\nrows: [${rows.join(', ')}]\n`)
  const ranges = '{ train.learningRate: { log: [1.0e-3, 1.0e-1] }, model.dim: { int: [2, 4] } }'
  const set = JSON.stringify({ ...clicks, 'model.name': 'din' })
  writeFileSync(at('tune.yaml'), `set: ${set}\nranges: ${ranges}\nstartup: 1\ntrials: 2\n`)
}

const training = { 'train.saveEvery': 1, 'train.logEvery': 1, 'train.evaluateEvery': 2, 'train.epochs': 1 }
const small = { 'model.dim': 4, 'model.attention': [4], 'model.head': [8], 'model.contentDim': 4 }
const clicks = { ...training, ...small, 'train.batch': 1100, 'evaluation.resamples': 3 }

/** The cases on the folder that `makeInputs` filled. */
export function casesOn(inputs: string): Case[] {
  const at = (name: string) => join(inputs, name)
  const data = ['--data', at('data')]
  return [...samples(data), ...encoders(at, data), ...embeds(at, data), ...clickModels(data), ...studies(at, data)]
}

const out = ['--out', 'out']

const samples = ([, data]: string[]): Case[] => [
  { name: 'sample', commands: [['sample', '--size', '60', '--seed', '3', ...out]] },
  { name: 'sample of a data set', commands: [['sample', '--from', data, '--users', '9', ...out]] },
  { name: 'sample of impressions', commands: [['sample', '--impressions', '500', ...out]] },
  { name: 'sample of behaviors', commands: [['sample', '--behaviors', '500', ...out]] },
]

function encoders(at: (name: string) => string, data: string[]): Case[] {
  const options = [...data, '--init', at('checkpoint'), ...setArguments({ ...training, 'data.cache': 'cache' })]
  const pretrain = ['pretrain', ...options, '--batch', '16', '--set', 'evaluation.items=8']
  const negatives = { 'negatives.queue': 64, 'negatives.hard': 4, 'negatives.mineEvery': 2 }
  const sft = ['sft', ...options, '--batch', '96', ...setArguments(negatives), ...out]
  const [resumed, limited] = [
    [...pretrain, ...out, '--resume'],
    ['--max-time', '0s'],
  ]
  return [
    { name: 'pretrain', commands: [resumed] },
    { name: 'pretrain to a time limit', commands: [[...resumed, ...limited], resumed] },
    {
      name: 'pretrain over a run',
      commands: [[...pretrain, '--seed', '2', ...out, '--overwrite']],
      before: { out: 'pretrain/out' },
    },
    { name: 'pretrain --dry-run', commands: [[...pretrain, '--dry-run']] },
    { name: 'sft', commands: [[...sft, '--resume']] },
  ]
}

function embeds(at: (name: string) => string, data: string[]): Case[] {
  const options = ['--checkpoint', at('checkpoint'), '--batch', '8', '--set', 'threads=1']
  const embed = ['embed', ...data, ...options, ...out]
  const ofProcess = ['computed', 'unchanged', 'resumed', 'pictures', 'gone']
  const shards = ['0/2', '1/2'].map((shard) => [...embed, '--shard', shard])
  return [
    { name: 'embed', commands: [embed], ofProcess },
    {
      name: 'embed of another catalogue',
      commands: [['embed', '--data', at('other'), ...options, ...out]],
      before: { out: 'embed/out' },
      ofProcess,
    },
    { name: 'embed of shards', commands: [...shards, ['embed', 'merge', ...out]], ofProcess },
    {
      name: 'neighbors',
      commands: [
        ['neighbors', 'out', '--text', 'red mug', '--index', '--recall-items', '5', '--html', 'out.html', ...data],
      ],
      before: { out: 'embed/out' },
    },
  ]
}

function clickModels(data: string[]): Case[] {
  const train = (model: string, options: object = {}) => {
    const set = setArguments({ ...clicks, ...options })
    return ['ctr', ...data, '--model', model, ...set, ...out, '--resume']
  }
  const [vectors, before] = [['--embeddings', 'table/embeddings'], { table: 'embed/out' }]
  const predict = ['ctr', 'predict', 'run', ...data, '--provider', 'cpu', '--threads', '1', '--out', 'scores.parquet']
  const run = { run: 'ctr din/out' }
  return [
    { name: 'ctr din', commands: [train('din')] },
    { name: 'ctr sim-hard in little memory', commands: [train('sim-hard', { 'data.memory': '32MB' })] },
    { name: 'ctr sim-soft', commands: [[...train('sim-soft'), ...vectors]], before },
    { name: 'ctr content with workers', commands: [[...train('content', { 'train.workers': 2 }), ...vectors]], before },
    { name: 'ctr concat', commands: [[...train('concat'), ...vectors]], before },
    { name: 'ctr ciubm', commands: [[...train('ciubm'), ...vectors]], before },
    { name: 'ctr predict', commands: [predict, [...predict, '--explain', '2']], before: run },
    { name: 'ctr evaluate', commands: [['ctr', 'evaluate', 'run', '--memory', '10MB']], before: run },
  ]
}

const studies = (at: (name: string) => string, data: string[]): Case[] => [
  { name: 'ctr grid', commands: [['ctr', 'grid', '-c', at('grid.yaml'), ...data, ...out]] },
  { name: 'ctr tune', commands: [['ctr', 'tune', '-c', at('tune.yaml'), ...data, ...out]] },
  {
    name: 'compare',
    commands: [['compare', 'runs', ...out]],
    before: { 'runs/din': 'ctr din/out', 'runs/sim': 'ctr sim-hard in little memory/out' },
  },
]
