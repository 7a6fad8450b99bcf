/** Bad values of flags, options and configuration files, and outputs in bad places. */
import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type BadInput, commands } from './badInput.js'
import { lastOf, type Place } from './prepared.js'

const { ctr, pretrain, sft, embed, predict, evaluate, check, neighbors } = commands
const list: BadInput[] = []
type Make = BadInput['make']
const add = (name: string, make: Make, id: BadInput['id'], says: RegExp, more: Partial<BadInput> = {}) =>
  list.push({ name, make, id, says, ...more })

/** Data that is not there: a value that is accepted then ends in another error, and soon. */
const nowhere = ({ path }: Place) => ({ 'data.root': path('nowhere') })
/** No number of steps, rows, threads or seeds. */
const noCounts = ['-1', '0', '1.5', '1e99', 'NaN', 'Infinity', '', ' ', 'abc', '0x', '1e-9', '99999999999999999999']
/** A numeric flag, the command before it, the id of its error, and values that are none of a count but right here. */
const numeric = (
  flag: string,
  command: string,
  args: (place: Place) => readonly string[],
  id: string | readonly string[],
  allows: readonly string[] = [],
  todo: readonly string[] = [],
) => {
  for (const value of noCounts.filter((one) => !allows.includes(one))) {
    // As one word, because a value such as -1 would be a flag.
    const given = flag.startsWith('--') ? [`${flag}=${value}`] : [flag, value]
    const says = new RegExp(`${flag}|size|users|share|seed`)
    const more = todo.includes(value) ? { todo: notBounded } : {}
    add(`${command} ${flag} '${value}'`, (place) => [...args(place), ...given], id, says, more)
  }
}
const [huge, exponent] = ['99999999999999999999', '1e99']
const notBounded = 'sizes that no machine can hold'
const sample =
  (...args: string[]) =>
  ({ out }: Place) => ['sample', '--out', out, ...args]
const part = ({ out, sound }: Place) => ['sample', '--out', out, '--from', sound.data]
const ablation = (place: Place) => [...sft(place, nowhere(place)), '--ablate', 'negatives']
const tune = ({ sound, out }: Place) => ['ctr', 'tune', '--data', sound.data, '--out', out]
const nearest = ({ sound }: Place) => neighbors(sound.table, '--item', '10004', '--index')
numeric('--size', 'sample', sample(), 'sample-size', [], [huge])
numeric('--impressions', 'sample', sample(), 'sample-size', [], [exponent, huge])
numeric('--history', 'sample', sample('--impressions', '100'), 'sample-size', ['0'], [exponent, huge])
numeric('--behaviors', 'sample', sample(), 'sample-size', [], [exponent, huge])
numeric('--seed', 'sample', sample('--size', '60'), 'sample-seed', ['0', '-1'])
numeric('--users', 'sample', part, 'sample-users')
numeric('--other-items', 'sample', (p) => [...part(p), '--users', '3'], 'sample-share', ['0', '1e-9'])
numeric('--epochs', 'pretrain', (p) => pretrain(p, nowhere(p)), 'config', ['0', '1.5', '1e-9', exponent, huge])
numeric('--batch', 'pretrain', (p) => pretrain(p, nowhere(p)), 'config')
numeric('--seed', 'pretrain', (p) => pretrain(p, nowhere(p)), 'config', ['0', '-1'])
numeric('--max-time', 'pretrain', (p) => pretrain(p, nowhere(p)), 'config')
numeric('--batch', 'sft', (p) => sft(p, nowhere(p)), 'config')
numeric('--epochs', 'sft', (p) => sft(p, nowhere(p)), 'config', ['0', '1.5', '1e-9', exponent, huge])
numeric('--seeds', 'sft', ablation, 'ablation-seeds', ['0', '-1'], [huge])
numeric('--batch', 'embed', (p) => embed(p, nowhere(p)), 'config')
numeric('--dim', 'embed', (p) => embed(p, nowhere(p)), 'config', ['0'])
numeric('--words', 'embed', (p) => embed(p, nowhere(p)), 'config', ['0', '1e-9'])
numeric('--shard', 'embed', (p) => embed(p, nowhere(p)), 'shard-value')
numeric('--epochs', 'ctr', (p) => ctr(p, nowhere(p)), 'config', ['1.5', '1e-9', exponent, huge])
numeric('--batch', 'ctr', (p) => ctr(p, nowhere(p)), 'config')
numeric('--seed', 'ctr', (p) => ctr(p, nowhere(p)), 'config', ['0', '-1'])
numeric('--explain', 'ctr predict', (p) => predict(p, p.sound.ctr), 'option-value', ['0', exponent, huge])
numeric('--threads', 'ctr predict', (p) => predict(p, p.sound.ctr), 'option-value', ['0'], [exponent, huge])
numeric('--memory', 'ctr evaluate', (p) => evaluate(p.sound.predictions), ['option-value', 'config'], [], noCounts)
numeric('--trials', 'ctr tune', tune, 'config')
numeric('--time', 'ctr tune', tune, 'config')
numeric('-k', 'neighbors', nearest, 'k-value', [exponent, huge])
numeric('--recall-items', 'neighbors', nearest, 'k-value', [exponent, huge])

/** Options of the configuration. */
const option = (name: string, set: readonly string[], id: string, says: RegExp) =>
  add(`--set ${name}`, (p) => [...ctr(p, nowhere(p)), ...set.flatMap((one) => ['--set', one])], id, says)
for (const path of [
  'train.learningRate',
  'train.batch',
  'model.dim',
  'train.workers',
  'split.train',
  'history.length',
  'train.beta2',
  'model.dropout',
  'train.clipNorm',
  'seed',
  'evaluation.resamples',
]) {
  for (const value of ['-1', '1e99', '.nan', '.inf', "''", 'abc', '[]', '{}', 'null'])
    if (!(value === '1e99' && /learningRate|clipNorm/.test(path)))
      option(`${path}=${value}`, [`${path}=${value}`], 'config', new RegExp(path.split('.')[0]))
}
option('a path without a value', ['train.batch'], 'set-syntax', /train\.batch/)
option('no path', ['=3'], 'set-syntax', /./)
option('an unknown path', ['train.bach=3'], 'config', /train\.bach/)
option('a path below a number', ['train.batch.size=3'], 'config', /train\.batch/)
option('__proto__', ['__proto__.x=1'], 'config', /__proto__/)
option('constructor.prototype', ['constructor.prototype.x=1'], 'config', /constructor/)
option('YAML that is none', ['model.head=[1, 2'], 'set-syntax', /model\.head/)
option('YAML with a tag', ['train.batch=!!js/function "x"'], 'config', /train\.batch/)
option('an alias to itself', ['train=&a {batch: *a}'], 'set-syntax', /train/)
option(
  'an unknown key in a list',
  ['features.items=[{kind: category, column: category, colour: 1}]'],
  'config',
  /colour/,
)
option('an unknown model', ['model.name=gpt'], 'config', /model\.name/)
option('escapes of a terminal', ['model.name=\u001b[2J\u0007'], 'config', /model\.name/)
option('a memory of no size', ['data.memory=zap'], 'config', /data\.memory/)
option('a memory of a byte', ['data.memory=1B'], 'config', /memory/)

/** Configuration files. */
const notRefused = { todo: 'configurations that the parser takes too far' }
const file = (name: string, content: string | Uint8Array, id: string | string[], says: RegExp, more = {}) =>
  add(`configuration: ${name}`, (p) => [...ctr(p, nowhere(p)), '--config', p.file('bad.yaml', content)], id, says, more)
file('no YAML', '{a: [', 'config-yaml', /bad\.yaml/)
file('tabs', 'train:\n\tbatch: 3\n', 'config-yaml', /bad\.yaml/)
file('a key twice', 'seed: 1\nseed: 2\n', 'config-yaml', /bad\.yaml/)
file('a list', '- 1\n- 2\n', 'config-yaml', /bad\.yaml/)
file('a number', '7', 'config-yaml', /bad\.yaml/)
file('two documents', 'seed: 1\n---\nseed: 2\n', 'config-yaml', /bad\.yaml/)
file('bytes', Buffer.from([0xff, 0xfe, 0, 1, 2, 3]), 'config-yaml', /bad\.yaml/)
file('an anchor in itself', 'train: &a {batch: *a}\n', 'config-yaml', /bad\.yaml|train/)
file(
  'a thousand million laughs',
  `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map((n, i) => `${n}: &${n} [${`*${'abcdefghi'[i]},`.repeat(9).slice(0, -1)}]`)
    .join('\n')}\n`,
  'config-yaml',
  /bad\.yaml/,
)
file('deep lists', `seed: ${'['.repeat(1e5)}${']'.repeat(1e5)}`, ['config', 'config-yaml'], /./, notRefused)
file('__proto__', '__proto__: {x: 1}\n', 'config', /__proto__/, notRefused)
file('an unknown option', 'train: {bach: 3}\n', 'config', /bach/)
file('another stage', 'stage: sft\n', 'config-stage', /sft/)
file('a long text', `seed: ${'x'.repeat(1e7)}\n`, 'config-yaml', /more than 4194304 bytes/)
add('configuration: nothing', (p) => [...ctr(p), '--config', p.path('none.yaml')], 'config-missing', /none\.yaml/)
add('configuration: a folder', (p) => [...ctr(p), '--config', p.folder], 'config-missing', /./)
add(
  'configuration: a device',
  (p) => [...ctr(p), '--config', '/dev/zero'],
  ['config-missing', 'place-not-file', 'config-yaml'],
  /zero/,
  notRefused,
)
add(
  'configuration: a Parquet file',
  (p) => [...ctr(p), '--config', join(p.sound.data, 'items.parquet')],
  'config-yaml',
  /items\.parquet/,
)

// Commands and words.
const words = (args: readonly string[], id: string, says: RegExp) => add(`mim ${args.join(' ')}`, () => args, id, says)
words(['ctr', 'compar', 'a', 'b'], 'command-unknown', /compar/)
words(['neighbors', ''], 'query-missing', /--item/)
words(['config', 'ctr', '--set', 'x'], 'set-syntax', /x/)
add('an engine that is none', (p) => [...ctr(p), '--engine', 'torch'], 'config', /torch/)
add('a device that is none', (p) => [...ctr(p), '--device', 'tpu'], 'config', /tpu/)
add('a provider that is none', (p) => [...embed(p), '--provider', 'tpu'], 'config', /tpu/)
add('a type that is none', (p) => [...embed(p), '--type', 'int4'], 'config', /int4/)
add('a precision that is none', (p) => [...embed(p), '--precision', 'fp8'], 'config', /fp8/)
add('a shard beyond the last', (p) => [...embed(p), '--shard', '4/4'], 'shard-value', /shard 4 of 4/)
add('an ablation of nothing', (p) => [...sft(p), '--ablate', ''], 'ablation-kind', /./)
add('an ablation of no part', (p) => [...sft(p), '--ablate', 'everything'], 'ablation-kind', /everything/)
add('seeds that are none', (p) => [...sft(p), '--ablate', 'negatives', '--seeds', '1,,2'], 'ablation-seeds', /./)

// Outputs.
const linux = process.platform === 'linux' ? false : 'this is for Linux'
const pipe = ({ path }: Place) => {
  execFileSync('mkfifo', [path('pipe')])
  return path('pipe')
}
const loop = ({ path }: Place) => {
  symlinkSync('loop', path('loop'))
  return path('loop')
}
/** The place, with a file in it. */
const withFile = (place: Place, file: string) => {
  place.file(file, 'text')
  return place
}
const outputs = (
  name: string,
  out: (place: Place) => string,
  id: string | string[],
  says: RegExp,
  skip: string | false = false,
) => {
  for (const [command, args] of Object.entries({
    ctr: (p: Place) => ctr(p),
    pretrain: (p: Place) => pretrain(p),
    embed: (p: Place) => embed(p),
    sample: (p: Place) => ['sample', '--size', '60', '--out', p.out],
    predict: (p: Place) => predict(p, p.sound.ctr),
    compare: (p: Place) => ['compare', p.sound.ctr, '--out', p.out],
    tune: (p: Place) => ['ctr', 'tune', '--data', p.sound.data, '--trials', '1', '--out', p.out],
  })) {
    const make: Make = (p) => {
      const to = out(p)
      return args(p).map((one) => (one === p.out ? to : one))
    }
    add(`output of ${command}: ${name}`, make, id, says, { skip })
  }
}
outputs('below a file', (p) => join(p.file('way', 'text'), 'out'), 'place-not-folder', /way/)
outputs('in /proc', () => '/proc/out', 'place-denied', /\/proc/, linux)
outputs('a pipe', (p) => pipe(p), ['place-not-folder', 'place-not-file'], /pipe/, linux)
outputs('below a pipe', (p) => join(pipe(p), 'out'), 'place-not-folder', /pipe/, linux)
outputs('empty', () => '', 'place-name', /--out: the path is empty/)
outputs('a link to itself', (p) => loop(p), 'place-name', /loop.*circle/)
outputs('a name with a zero byte', (p) => p.path('a\0b'), 'place-name', /a\\u0000b/)
outputs('a name of 300 letters', (p) => p.path('x'.repeat(300)), 'place-name', /too long/)
outputs('a path of 5000 letters', (p) => p.path('x/'.repeat(2500)), 'place-name', /too long/)
add(
  'output of sample: a folder of others',
  (p) => sample('--size', '60')(withFile(p, 'out/thesis.txt')),
  'out-exists',
  /not empty/,
)
add(
  'output of predict: a folder',
  (p) => predict(withFile(p, 'out/thesis.txt'), p.sound.ctr),
  'place-not-file',
  /folder/,
)
add(
  '--overwrite of a folder of others',
  (p) => lastOf(p.file('out/thesis.txt', 'x'), [...ctr(p), '--overwrite']),
  'out-no-run',
  /thesis\.txt|no config/,
)
add(
  '--overwrite of a folder with a config.yaml',
  (p) => lastOf(p.file('out/config.yaml', 'a: 1'), [...ctr(p), '--overwrite']),
  'out-no-run',
  /names no stage/,
)
add(
  '--overwrite of a run with a thesis',
  (p) => lastOf(p.copy('ctr', 'out'), p.file('out/thesis.txt', 'x'), [...ctr(p), '--overwrite']),
  'out-no-run',
  /thesis\.txt/,
)
add(
  '--resume of another configuration',
  (p) => lastOf(p.copy('ctr', 'out'), [...ctr(p), '--resume']),
  'run-differs',
  /model\.name/,
)
add(
  '--resume with --overwrite of another stage',
  (p) => lastOf(p.copy('pretrain', 'out'), [...ctr(p), '--resume']),
  'run-stage',
  /pretrain/,
)
add('a run that is there', (p) => lastOf(p.copy('ctr', 'out'), ctr(p)), 'run-exists', /--resume/)
add(
  'a data folder that is none',
  (p) => [...ctr(p), '--data', p.path('none')],
  'table-missing',
  /none\/impressions\.parquet/,
)
add('evaluation of a folder', (p) => evaluate(p.folder), 'table-missing', /./)
add(
  'evaluation of columns that are none',
  (p) => evaluate(join(p.sound.ctr, 'predictions.parquet'), '--score', 'score'),
  'column-missing',
  /score/,
)
add(
  'evaluation of a group that is none',
  (p) => evaluate(join(p.sound.ctr, 'predictions.parquet'), '--group', "x'; DROP TABLE y"),
  'column-missing',
  /DROP/,
)
add(
  'a table against one of another width',
  (p) => check(p.sound.table, '--against', p.path('none')),
  'store-missing',
  /none/,
)
add('neighbors of an item that is none', (p) => neighbors(p.sound.table, '--item', '7'), 'item-unknown', /7/)
add('neighbors of an item that is text', (p) => neighbors(p.sound.table, '--item', 'sku'), 'item-unknown', /sku/)
add('neighbors of a number too large', (p) => neighbors(p.sound.table, '--item', '9'.repeat(40)), 'item-unknown', /9/)
add(
  'neighbors into a gallery that is a folder',
  (p) => neighbors(p.sound.table, '--item', '10004', '--html', p.folder),
  'place-not-file',
  /--html/,
)
add(
  'neighbors with a data folder that is none',
  (p) => neighbors(p.sound.table, '--item', '10004', '--html', p.path('a.html'), '--data', p.path('none')),
  'table-missing',
  /none/,
)

export const flags = list
