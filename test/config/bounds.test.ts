/** Sizes that no machine has are refused at once, in one line, by what is wrong with them. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { workplace } from '../e2e/stages.js'
import { refusal } from '../refusal.js'

const folder = await workplace()
const data = ['--data', join(folder, 'tiny'), '--engine', 'wasm']
const checkpoint = join(folder, 'small')
writeSmallCheckpoint(checkpoint)

/** A copy of the checkpoint with a key of config.json changed. */
function changed(tower: 'vision_config' | 'text_config', key: string, value: unknown): string {
  const path = join(folder, `${key} ${JSON.stringify(value)}`)
  cpSync(checkpoint, path, { recursive: true })
  const file = join(path, 'config.json')
  const json = JSON.parse(readFileSync(file, 'utf8'))
  json[tower][key] = value
  writeFileSync(file, JSON.stringify(json))
  return path
}

const limit = /: expected number to be <=\d+$/
const wide = ['--set', 'model.width=65536', '--set', 'model.heads=64']
const cases: [args: string[], id: string, message: RegExp][] = [
  ...[
    ['pretrain', 'model.layers=1000000'],
    ['pretrain', 'model.vocabulary=1000000000'],
    ['pretrain', 'model.imageSize=1000000'],
    ['pretrain', 'model.heads=1000000000'],
    ['pretrain', 'model.textLength=1000000000'],
    ['pretrain', 'train.workers=100000'],
    ['pretrain', 'train.batch=1e12'],
    ['pretrain', 'train.epochs=1e300'],
    ['pretrain', 'data.maxImagePixels=1e15'],
    ['pretrain', 'fusion.width=1000000000'],
    ['sft', 'negatives.queue=1e12'],
    ['sft', 'train.microBatch=1e12'],
    ['embed', 'batch=1e12'],
    ['embed', 'threads=100000'],
    ['ctr', 'model.dim=1e8'],
    ['ctr', 'model.cross=1000000'],
    ['ctr', 'history.length=1e9'],
    ['ctr', 'features.idRows=1e12'],
    ['ctr', 'train.batch=1e12'],
    ['ctr', 'train.buffer=1e12'],
    ['ctr', 'evaluation.resamples=1e9'],
    ['ctr', 'data.whiten=1e9'],
  ].map(([stage, option]): [string[], string, RegExp] => [
    [stage, ...(stage === 'embed' ? data.slice(0, 2) : data), '--set', option],
    'config',
    limit,
  ]),
  [
    ['ctr', ...data, '--set', 'model.head=[1e9]'],
    'config',
    /model\.head\.0: 1000000000; expected number to be <=65536/,
  ],
  [
    ['ctr', ...data, '--model', 'din', '--set', 'features.idRows=2000000000'],
    'memory',
    /4000000000 rows: needs 768 GB, /,
  ],
  [
    ['pretrain', ...data, ...wide],
    'memory',
    /million parameters with its optimizer: needs 4\.9 TB, .* are free; use a/,
  ],
  [
    [
      'pretrain',
      ...data,
      ...['width=8', 'heads=2', 'imageSize=4096', 'patch=1'].flatMap((one) => ['--set', `model.${one}`]),
    ],
    'memory',
    /the attention in a picture of 4096 × 4096 pixels with patches of 1: needs 2\.3 PB, /,
  ],
]

for (const [args, id, message] of cases) {
  test(`when a stage gets ${args.filter((arg) => !data.includes(arg)).join(' ')} then ${id}`, async () => {
    assert.match(await refusal(args, join(folder, 'out'), id), message)
  })
}

const ofConfig: [tower: 'vision_config' | 'text_config', key: string, value: unknown, message: RegExp][] = [
  ['vision_config', 'num_hidden_layers', 1e9, /expected number to be <=1024$/],
  ['vision_config', 'hidden_size', 1e9, /expected number to be <=65536$/],
  ['vision_config', 'image_size', 1e9, /expected number to be <=4096$/],
  ['vision_config', 'patch_size', 0, /expected number to be >0$/],
  ['vision_config', 'patch_size', 32, /patch_size: 32 does not fit image_size 16$/],
  ['vision_config', 'num_attention_heads', 7, /num_attention_heads: 7 does not fit hidden_size 8$/],
  ['text_config', 'vocab_size', 1e12, /expected number to be <=16777216$/],
  ['text_config', 'max_position_embeddings', 1e8, /expected number to be <=8192$/],
  ['text_config', 'intermediate_size', -1, /expected number to be >0$/],
]

for (const [tower, key, value, message] of ofConfig) {
  test(`when a checkpoint's ${key} is ${value} then model-config names it`, async () => {
    const args = ['pretrain', ...data, '--init', changed(tower, key, value)]
    assert.match(await refusal(args, join(folder, 'out'), 'model-config'), message)
  })
}

for (const name of ['constructor', '__proto__', 'hasOwnProperty']) {
  test(`when a feature or its table is named ${name} then feature-names`, async () => {
    for (const key of ['name', 'table']) {
      const set = ['--set', `features.items=[{column: category, ${key}: ${name}}]`]
      const args = ['ctr', ...data, '--model', 'din', ...set]
      assert.match(
        await refusal(args, join(folder, 'out'), 'feature-names'),
        new RegExp(`'${name}', which is reserved`),
      )
    }
  })
}

const samples: [args: string[], id: string, message: RegExp][] = [
  [['--size', '1000000000000'], 'sample-size', /whole number of items from 60 to 10000000$/],
  [['--size', '10000000'], 'memory', /a sample of 10000000 items: needs 80 GB, .*--size/],
  [['--impressions', '1e15'], 'sample-size', /from 1 to 1000000000000$/],
  [['--impressions', '1e12'], 'disk', /tables of \d+ rows: needs 6\.7 TB, .* are free on the disk of /],
  [['--impressions', '1000', '--history', '1e12'], 'sample-size', /from 1 to 1048576$/],
  [['--behaviors', '1e15'], 'sample-size', /from 1 to 1000000000000$/],
  [['--behaviors', '1e12'], 'disk', /a log of 1000000000000 rows: needs 6\.0 TB, /],
  [['--from', join(folder, 'tiny'), '--users', '1e30'], 'sample-users', /whole number from 1$/],
]

for (const [args, id, message] of samples) {
  test(`when a sample gets ${args.slice(-2).join(' ')} then ${id}`, async () => {
    assert.match(await refusal(['sample', ...args], join(folder, 'out'), id), message)
  })
}

for (const place of ['/proc/x', '/sys/x', '/dev/null/x'].filter(() => process.platform === 'linux')) {
  test(`when a sample is to be made at ${place} then one line says why not`, async () => {
    const id = place.startsWith('/dev') ? 'place-not-folder' : 'place-denied'
    assert.match(await refusal(['sample', '--size', 'tiny'], place, id), /--out \/\w+\S*: /)
  })
}
