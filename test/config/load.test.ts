import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { ctrConfig } from '../../src/config/ctr.js'
import { presetNames } from '../../src/config/file.js'
import { type ConfigSources, loadConfig } from '../../src/config/load.js'
import { schemas } from '../../src/config/schemas.js'
import { sftConfig } from '../../src/config/sft.js'
import { containsItself } from '../../src/config/yaml.js'
import { mim } from '../commands/cli.js'
import { refusal } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

async function yaml(text: string): Promise<string> {
  const path = join(folder, 'config.yaml')
  await writeFile(path, text)
  return path
}

/** The message of the error that the sources end in, which must have the id. */
function problem(sources: ConfigSources, id = 'config', schema: z.ZodType = ctrConfig): string {
  try {
    loadConfig(schema, sources)
  } catch (error) {
    assert.equal((error as { id?: string }).id, id, String(error))
    return (error as Error).message
  }
  return assert.fail('the configuration was taken')
}

describe('Precedence', () => {
  test('when an option is given in several places then flags win over --set over the file over the default', async () => {
    const file = await yaml('train: {epochs: 2, batch: 3, clipNorm: 4, learningRate: 0.5}')
    const { train, seed } = loadConfig(ctrConfig, {
      file,
      sets: ['train.batch=5', 'train.clipNorm=6', 'train.clipNorm=7'],
      flags: { 'train.batch': 8, 'train.epochs': undefined },
    })
    const { epochs, batch, clipNorm, learningRate, patience } = train
    assert.deepEqual([epochs, batch, clipNorm, learningRate], [2, 8, 7, 0.5])
    assert.deepEqual({ patience, seed }, { patience: 4, seed: 1 })
  })

  test('when a value of --set is a list, a text, null or has an equals sign then it is read as YAML', () => {
    const { data, history, train } = loadConfig(ctrConfig, {
      sets: ['history.actions=[click, "cart"]', 'data.root=a=b', 'data.embeddings=null', 'train.learningRate=1e-2'],
    })
    assert.deepEqual(history.actions, ['click', 'cart'])
    assert.deepEqual([data.root, data.embeddings, train.learningRate], ['a=b', null, 0.01])
  })

  test('when the file is empty then all is default', async () => {
    assert.deepEqual(loadConfig(ctrConfig, { file: await yaml('# nothing\n') }), loadConfig(ctrConfig, {}))
  })
})

describe('Mistakes', () => {
  test('when several options are wrong then each has a line with its place, value, rule or nearest key', async () => {
    const file = await yaml('train: {epoch: 3, batch: many}\nmodle: {}\nmodel: {name: dinn, dropout: 1}\nseed: -1\n')
    const [head, ...lines] = problem({ file, sets: ['history.actions=click'] }).split('\n')
    assert.equal(head, 'configuration has 7 problems')
    const expected = [
      [1, /^train\.epoch: unknown option; did you mean 'epochs'\?$/],
      [1, /^train\.batch: "many"; expected number/],
      [2, /^modle: unknown option; did you mean 'model'\?$/],
      [3, /^model\.name: "dinn"; expected one of "din"\|"sim-hard"\|.*\|"ciubm"$/],
      [3, /^model\.dropout: 1; /],
      [4, /^seed: -1; /],
    ] as const
    const of = (line: number) =>
      lines.flatMap((text) =>
        text.startsWith(`  ${file}:${line}: `) ? [text.slice(`  ${file}:${line}: `.length)] : [],
      )
    for (const [line, rule] of expected) assert.equal(of(line).filter((text) => rule.test(text)).length, 1, `${rule}`)
    assert.ok(lines.some((line) => /^ {2}--set history\.actions=click: expected array/.test(line)))
  })

  test('when an unknown option resembles none then those that exist are listed', () => {
    assert.match(
      problem({ sets: ['split.zzzzzzzz=1'] }),
      /^--set split\.zzzzzzzz=1: unknown option; expected one of train, valid$/,
    )
  })

  test('when the shares of train and validation leave no test then the split is refused', () => {
    for (const schema of [ctrConfig, sftConfig]) {
      const message = problem({ sets: ['split.train=0.9'] }, 'config', schema)
      assert.match(message, /^--set split\.train=0\.9: split: \{"train":0\.9\}; expected train \+ valid below 1/)
    }
  })

  test('when a time zone or a unit of times does not exist then it is refused, with the nearest name', () => {
    for (const schema of [ctrConfig, sftConfig]) {
      const zone = (name: string) => problem({ sets: [`data.timeZone='${name}'`] }, 'config', schema)
      assert.match(zone('Asia/Shangai'), /^--set data\.timeZone=.Asia\/Shangai.: .*did you mean 'Asia\/Shanghai'\?/)
      assert.match(zone('+08:00'), /--set data\.timeZone='\+08:00': expected an IANA time zone/)
      assert.match(
        problem({ sets: ['data.timeUnit=seconds'] }, 'config', schema),
        /^--set data\.timeUnit=seconds: expected /,
      )
      for (const name of ['UTC', 'Asia/Shanghai', 'Europe/Kyiv'])
        assert.equal(loadConfig(schema, { sets: [`data.timeZone=${name}`] }).data.timeZone, name)
    }
    const { data } = loadConfig(ctrConfig, { sets: ['data.timeUnit={impressions: s}'] })
    assert.deepEqual(data.timeUnit, { impressions: 's', behaviors: 'auto' })
  })

  test('when a file is missing, a folder, no YAML, no mapping or has a dangling alias then the error says so', async () => {
    await mkdir(join(folder, 'folder'))
    assert.match(
      problem({ file: join(folder, 'gone.yaml') }, 'config-missing'),
      /gone\.yaml' was not found; give the path/,
    )
    assert.match(problem({ file: join(folder, 'folder') }, 'config-missing'), /folder' is a folder; give the path/)
    await writeFile(join(folder, 'folder', 'config.yaml'), 'stage: sft\n')
    assert.match(problem({ file: join(folder, 'folder') }, 'config-missing'), /did you mean '.*folder\/config\.yaml'/)
    const file = await yaml('seed: 1\ntrain: {epochs: [1\n')
    assert.ok(problem({ file }, 'config-yaml').startsWith(`${file}:`))
    await yaml('seed: 1\nseed: 2\n')
    assert.match(problem({ file }, 'config-yaml'), /config\.yaml:2: Map keys must be unique; expected YAML$/)
    await yaml('- 1\n')
    assert.match(problem({ file }, 'config-yaml'), /not a mapping/)
    await yaml('seed: *other\n')
    assert.match(problem({ file }, 'config-yaml'), /other/)
  })

  test('when --set has no equals sign, no path or no YAML then it is refused', () => {
    for (const text of ['seed', '=1', 'history.actions=[click']) {
      assert.ok(problem({ sets: [text] }, 'set-syntax').startsWith(`--set ${text}`))
    }
  })
})

describe('Where a mistake was made', () => {
  test('when the only problem is of --set or a flag then one line names what was written', () => {
    const line = (sources: ConfigSources, schema?: z.ZodType) => problem(sources, 'config', schema)
    assert.match(line({ sets: ['train.bacth=3'] }), /^--set train\.bacth=3: .* 'train\.batch'\?$/)
    assert.match(line({ sets: ['batch=3'] }), /^--set batch=3: unknown option; did you mean 'train\.batch'\?$/)
    assert.match(line({ sets: ['train={bacth: 3}'] }), /^--set train=\{bacth: 3\}: train\.bacth: unknown option; /)
    assert.match(line({ flags: { 'data.root': 3 } }), /^--data 3: expected string/)
    assert.match(line({ flags: { 'train.maxTime': 'soon' } }), /^--max-time soon: expected a time/)
    assert.match(line({ flags: { batch: 'x' } }, schemas.embed), /^--batch x: expected number or "auto"$/)
  })

  test('when a flag overrides a mistake in the file then there is none, and the other way round it is named', async () => {
    const file = await yaml('train: {epochs: two}')
    assert.equal(loadConfig(ctrConfig, { file, sets: ['train.epochs=2'] }).train.epochs, 2)
    assert.match(problem({ file, flags: { 'train.batch': 2 } }), /config\.yaml:1: train\.epochs: "two"; /)
  })

  test('when a list entry has a slip then the line of the file and the key of its kind are named', async () => {
    const file = await yaml(
      'features:\n  context:\n    - kind: number\n      column: price\n      transfrom: log1p\n' +
        '    - {column: x, minCout: 3}\n    - {kind: number}\n',
    )
    const [, ...lines] = problem({ file }).split('\n')
    assert.deepEqual(lines, [
      `  ${file}:5: features.context.0.transfrom: unknown option; did you mean 'transform'?`,
      `  ${file}:6: features.context.1.minCout: unknown option; did you mean 'minCount'?`,
      `  ${file}:7: features.context.2.column: missing; expected string`,
    ])
  })

  test('when the configuration is of a run of another stage then one line says so', async () => {
    const file = await yaml('stage: sft\npositives: {sources: [session]}\nlevels: {}\n')
    const message = problem({ file, stage: 'ctr' }, 'config-stage')
    assert.match(message, /config\.yaml: .* a run of mim sft; expected a configuration of mim ctr$/)
    const own = await yaml('stage: ctr\nseed: 7\n')
    assert.equal(loadConfig(ctrConfig, { file: own, stage: 'ctr' }).seed, 7)
  })
})

describe('Several files', () => {
  const files = async () => {
    const [first, second] = [join(folder, 'first.yaml'), join(folder, 'second.yaml')]
    await writeFile(
      first,
      'train: {epochs: 2, batch: 3}\nhistory: {actions: [click, buy]}\nseed: 5\ndata: {normalise: true}',
    )
    await writeFile(second, 'train: {batch: 4}\nhistory: {actions: [cart]}\ndata: {normalize: false}')
    return [first, second]
  }

  test('when there are two then the second is merged over the first: mappings by key, lists and values replaced', async () => {
    const { train, history, seed, data } = loadConfig(ctrConfig, { file: await files() })
    assert.deepEqual([train.epochs, train.batch, seed], [2, 4, 5])
    assert.deepEqual(history.actions, ['cart'])
    assert.equal(data.normalize, false)
  })

  test('when both are given on the command line then none is dropped, and --set wins', async () => {
    const [first, second] = await files()
    const args = ['config', 'ctr', '-c', first, '-c', second, '--set', 'train.epochs=9']
    const { code, stdout } = await mim(args)
    assert.equal(code, 0)
    assert.match(stdout, /\n {2}epochs: 9\n/)
    assert.match(stdout, /\n {2}batch: 4\n/)
    assert.match(stdout, /\nseed: 5\n/)
    assert.match(stdout, /\n {2}actions: \[cart\]\n/)
  })

  test('when the first has a mistake that the second does not override then the first is named', async () => {
    const [first, second] = await files()
    await writeFile(first, 'seed: 1\nmodle: {}\n')
    assert.match(problem({ file: [first, second] }), /first\.yaml:2: modle: unknown option; did you mean 'model'\?$/)
  })
})

describe('Presets', () => {
  const names = presetNames()
  const skip = names.length > 0 ? false : 'the package has no presets'

  test('when a preset is named then it loads for the stage that it is of', { skip }, () => {
    for (const name of names) {
      const stage = name.split('/').at(-1)!
      assert.ok(stage in schemas, `${name} is of no stage`)
      loadConfig(schemas[stage as keyof typeof schemas] as z.ZodType, { file: name })
    }
  })

  test('when the name of a preset has a slip then the nearest is suggested', { skip }, () => {
    const message = problem({ file: `${names[0]}x` }, 'config-missing')
    assert.match(message, new RegExp(`did you mean '${names[0]}'\\?$`))
  })
})

describe('Configuration on the command line', () => {
  const out = join(folder, 'run')

  test('when an option is wrong then the command ends with 2, says which, and starts no run', async () => {
    const { code, stdout, stderr } = await mim(['ctr', '--out', out, '--epochs', 'two', '--set', 'train.bacth=3'])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^error \[config\]: configuration has 2 problems\n/)
    assert.match(stderr, /\n {2}--epochs two: expected number/)
    assert.match(stderr, /\n {2}--set train\.bacth=3: unknown option; did you mean 'train\.batch'\?\n/)
    assert.equal(existsSync(out), false)
  })

  test('when the configuration is missing then one line says so', async () => {
    await refusal(['pretrain', '--config', 'market/nothing-like-it'], out, 'config-missing')
  })
})

describe('Former names', () => {
  test('when a saved configuration has options under their former names then it loads under the current ones', async () => {
    const file = await yaml(
      'data: {normalise: true}\nmodel: {gsu: {kind: soft, topK: 7}}\n' +
        'features: {context: [{kind: number, column: price, transform: standardise}]}',
    )
    const { data, model, features } = loadConfig(ctrConfig, { file })
    assert.equal(data.normalize, true)
    assert.deepEqual([model.behaviorSearch.kind, model.behaviorSearch.topK], ['soft', 7])
    const [price] = features.context
    assert.equal(price.kind === 'number' && price.transform, 'standardize')
  })

  test('when an option is set under the other name than in the file then the later value wins', async () => {
    const file = await yaml('data: {normalise: true}\nmodel: {gsu: {kind: hard, topK: 10}}')
    const sets = ['data.normalize=false', 'model.gsu.topK=4', 'model.behaviorSearch.topK=5']
    const { data, model } = loadConfig(ctrConfig, { file, sets })
    assert.deepEqual([data.normalize, model.behaviorSearch.kind, model.behaviorSearch.topK], [false, 'hard', 5])
    const former = loadConfig(ctrConfig, { sets: ['data.normalize=true', 'data.normalise=false'] })
    assert.equal(former.data.normalize, false)
  })

  test('when a file has an option under both names then the former one is unknown', async () => {
    const file = await yaml('data: {normalise: true, normalize: false}')
    assert.match(problem({ file }), /data\.normalise: unknown option; did you mean 'normalize'\?/)
  })

  test('when a value contains itself or there are two documents then one line says so', async () => {
    for (const text of ['features: &x {items: [*x]}', '&x\nmodel: *x', 'data: &x [1, [2, *x]]']) {
      const file = await yaml(text)
      assert.match(problem({ file }, 'config-yaml'), /config\.yaml: a value contains itself .*; expected YAML$/)
    }
    assert.match(
      problem({ sets: ['features.items=&x [*x]'] }, 'set-syntax'),
      /features\.items=.*: a value contains itself/,
    )
    const file = await yaml('seed: 1\n---\nseed: 2\n')
    assert.match(
      problem({ file }, 'config-yaml'),
      /config\.yaml:2: there is more than one YAML document .*; expected YAML$/,
    )
    assert.match(problem({ sets: ['seed=1\n---\n2'] }, 'set-syntax'), /more than one YAML document/)
    // The same value in two places is fine.
    const shared = ['price']
    assert.equal(containsItself({ items: shared, users: [shared] }), false)
  })

  test('when a path leads into what every object has then the option is unknown', () => {
    for (const path of ['__proto__.x', 'data.constructor.name', 'model.toString']) {
      assert.match(problem({ sets: [`${path}=1`] }), /: unknown option$/)
    }
    assert.equal('x' in {}, false)
  })
})
