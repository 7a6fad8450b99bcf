/** Files of checkpoints, runs and tables of vectors that are gone, cut, empty or of another type; one in place of another. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BadInput, commands } from './badInput.js'
import type { Place, Sound } from './prepared.js'

const { content, pretrain, sft, encode, predict, evaluate, check, neighbors } = commands
const list: BadInput[] = []
type Make = BadInput['make']
const add = (name: string, make: Make, id: BadInput['id'], says: RegExp, more: Partial<BadInput> = {}) =>
  list.push({ name, make, id, says, ...more })

/** Ways to spoil any file. */
const any: Record<string, (path: string) => void> = {
  gone: (path) => rmSync(path),
  'without a byte': (path) => writeFileSync(path, ''),
  'cut in half': (path) => writeFileSync(path, readFileSync(path).subarray(0, readFileSync(path).length / 2)),
  'of zeros': (path) => writeFileSync(path, readFileSync(path).fill(0)),
  'a folder': (path) => {
    rmSync(path)
    mkdirSync(path)
  },
}
const to = (text: string | Uint8Array) => (path: string) => writeFileSync(path, text)
/** Ways to spoil a JSON file. */
const json: typeof any = {
  ...any,
  null: to('null'),
  'an empty object': to('{}'),
  'a list': to('[]'),
  'a number': to('7'),
  'a text': to('"text"'),
  'deep lists': to(`${'['.repeat(1e5)}${']'.repeat(1e5)}`),
  'in another encoding': (path) => writeFileSync(path, Buffer.from(readFileSync(path, 'utf8'), 'utf16le')),
}

/** What one spoiled file does to a command. */
interface Spoiled {
  /** Something sound, and the file in it. */
  what: keyof Sound
  file: string
  ways: typeof any
  ids: readonly string[]
  command(place: Place, copy: string): readonly string[]
  /** Ways that do not matter to the command. */
  harmless?: readonly string[]
  /** Ways that are not refused yet. */
  todo?: readonly string[]
  /** Whether the command works in the copy, and so changes files in it. */
  within?: boolean
}

function spoil(name: string, { what, file, ways, ids, command, harmless = [], todo = [], within }: Spoiled): void {
  for (const [way, change] of Object.entries(ways).filter(([one]) => !harmless.includes(one))) {
    const make: Make = (place) => {
      const copy = place.copy(what)
      change(join(copy, file))
      return command(place, copy)
    }
    const more = { ...(todo.includes(way) ? { todo: `${file} ${way}` } : {}), ...(within ? { changes: what } : {}) }
    const parts = file.split('/').map((part) => part.replaceAll('.', '\\.'))
    add(`${name}: ${file} ${way}`, make, ids, new RegExp(`${parts.at(-1)}|/${what}\\b`), more)
  }
}

const all = Object.keys(json)
const folderAlone = ['a folder']
const notJson = ['without a byte', 'cut in half', 'of zeros', 'null', 'in another encoding']
const checkpointIds = [
  'checkpoint-missing',
  'json-broken',
  'place-not-file',
  'model-architecture',
  'model-config',
  'fusion-undescribed',
  'preprocessor',
  'tokenizer-missing',
  'tokenizer-broken',
  'file-broken',
]
const optional = ['gone', 'an empty object']
for (const [file, harmless, todo] of [
  ['config.json', [], folderAlone],
  ['mim.json', [], ['a folder', 'null']],
  ['preprocessor_config.json', optional, ['a folder', 'null']],
  ['tokenizer.json', [], []],
  ['tokenizer_config.json', optional, []],
] as const) {
  spoil('checkpoint', { what: 'checkpoint', file, ways: json, ids: checkpointIds, command: encode, harmless, todo })
}
const weightIds = ['weights-missing', 'safetensors-unreadable', 'tensor-missing', 'place-not-file', 'file-broken']
for (const file of ['model.safetensors', 'mim.safetensors'])
  spoil('checkpoint', { what: 'checkpoint', file, ways: any, ids: weightIds, command: encode, todo: folderAlone })
const init = {
  what: 'checkpoint',
  ways: { 'cut in half': any['cut in half'] },
  ids: [...checkpointIds, ...weightIds],
} as const
for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
  spoil('checkpoint of sft', { ...init, file, command: (p, copy) => sft(p, {}, '--init', copy) })
  spoil('checkpoint of pretrain', { ...init, file, command: (p, copy) => pretrain(p, {}, '--init', copy) })
}

const runIds = [
  'run-missing',
  'run-broken',
  'config-yaml',
  'config-missing',
  'json-broken',
  'place-not-file',
  'place-missing',
  'table-missing',
  'table-unreadable',
  'file-broken',
  'runs-missing',
  'file-missing',
  'safetensors-unreadable',
  'onnx-unreadable',
]
const ofRun = { what: 'ctr', ids: runIds } as const
const toPredict = { ...ofRun, command: (p: Place, copy: string) => predict(p, copy) }
spoil('run to predict', {
  ...toPredict,
  file: 'config.yaml',
  ways: json,
  todo: [...notJson, 'an empty object', 'deep lists', 'a folder'],
})
spoil('run to predict', { ...toPredict, file: 'checkpoint/features.json', ways: json, todo: all })
spoil('run to predict', { ...toPredict, file: 'onnx/model.onnx', ways: any, todo: all })
spoil('run to predict', { ...toPredict, file: 'checkpoint/vocabulary.parquet', ways: any })
spoil('run to evaluate', { ...ofRun, file: 'predictions.parquet', ways: any, command: (_, copy) => evaluate(copy) })
const toCompare = { ...ofRun, ways: any, command: (p: Place, copy: string) => ['compare', copy, p.sound.ctr] }
spoil('run to compare', { ...toCompare, file: 'config.yaml', harmless: ['gone', 'of zeros'], todo: all })
spoil('run to compare', { ...toCompare, file: 'metrics.json', harmless: ['gone'], todo: all })
spoil('run to compare', { ...toCompare, file: 'predictions.parquet' })
const toResume = {
  ...ofRun,
  command: (p: Place, copy: string) => {
    rmSync(join(copy, 'metrics.json'))
    return [...content(p, p.sound.table), '--resume', '--out', copy]
  },
  within: true,
}
spoil('run to resume', { ...toResume, file: 'last/trainer_state.json', ways: json, harmless: ['gone'], todo: all })
spoil('run to resume', { ...toResume, file: 'last/state.safetensors', ways: any, todo: folderAlone })

const folder = 'tables/1'
const tableIds = ['store-missing', 'store-broken', 'store-format', 'place-not-file', 'file-broken', 'json-broken']
const inTable = (command: (place: Place, table: string) => readonly string[]) => (p: Place, copy: string) =>
  command(p, join(copy, 'embeddings'))
const ofTable = { what: 'embed', ids: tableIds } as const
const toCheck = inTable((_, path) => check(path))
spoil('table to check', {
  ...ofTable,
  file: `${folder}/manifest.json`,
  ways: json,
  command: toCheck,
  todo: [...notJson, 'a folder'],
})
for (const file of ['embedding.npy', 'item_id.npy', 'present.npy']) {
  const command = inTable((_, path) => neighbors(path, '--item', '10004'))
  spoil('table of neighbors', { ...ofTable, file: `${folder}/${file}`, ways: any, command, todo: folderAlone })
}
for (const file of ['embedding.npy', 'item_id.npy']) {
  const command = inTable((p, path) => content(p, path))
  spoil('table of ctr', { ...ofTable, file: `${folder}/${file}`, ways: any, command, todo: folderAlone })
}
// Runs and tables in place of one another.

const wrong = (name: string, make: Make, id: string, says: RegExp) =>
  add(`in place of another: ${name}`, make, id, says)
wrong('a run of ctr as a checkpoint', (p) => encode(p, p.sound.ctr), 'run-stage', /of mim ctr/)
wrong('a run of embed as a checkpoint', (p) => encode(p, p.sound.embed), 'run-stage', /of mim embed/)
wrong('the data as a checkpoint', (p) => encode(p, p.sound.data), 'checkpoint-missing', /config\.json/)
wrong('a file as a checkpoint', (p) => encode(p, p.sound.predictions), 'checkpoint-missing', /predictions/)
wrong('nothing as a checkpoint', (p) => encode(p, p.path('none')), 'checkpoint-missing', /none/)
wrong('no checkpoint', (p) => encode(p, ''), 'checkpoint-missing', /checkpoint/)
wrong('a run of pretrain to predict', (p) => predict(p, p.sound.pretrain), 'run-stage', /of mim pretrain/)
wrong('the data to predict', (p) => predict(p, p.sound.data), 'run-missing', /data/)
wrong('a run of ctr as a table', (p) => check(p.sound.ctr), 'run-stage', /of mim ctr/)
wrong('the data as a table', (p) => check(p.sound.data), 'store-missing', /data/)
wrong('nothing as a table', (p) => check(p.path('none')), 'store-missing', /none/)
wrong('a checkpoint as vectors', (p) => content(p, p.sound.checkpoint), 'run-stage', /checkpoint/)
wrong('nothing as vectors', (p) => content(p, p.path('none')), 'table-missing', /none/)
wrong('items as vectors', (p) => content(p, join(p.sound.data, 'items.parquet')), 'column-missing', /items/)
wrong('pictures as predictions', (p) => evaluate(join(p.sound.data, 'items.parquet')), 'column-missing', /items/)
wrong('a run of pretrain to compare', (p) => ['compare', p.sound.pretrain], 'runs-missing', /pretrain/)
wrong('nothing to compare', (p) => ['compare', p.path('none')], 'folder-missing', /none/)
wrong('an address of a hub that is none', (p) => encode(p, 'hf:'), 'hub-name', /hf:/)
wrong('a folder of a hub that is none', (p) => encode(p, 'hf:a/../../b'), 'hub-name', /hf:/)

export const spoiled = list
