import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { ctrConfig } from '../../src/config/ctr.js'
import { type ConfigSources, loadConfig, presetNames } from '../../src/config/load.js'
import { schemas } from '../../src/config/schemas.js'
import { sftConfig } from '../../src/config/sft.js'
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
  test('when several options are wrong then each has a line with path, value, rule or nearest key', async () => {
    const file = await yaml('train: {epoch: 3, batch: many}\nmodle: {}\nmodel: {name: dinn, dropout: 1}\nseed: -1\n')
    const [head, ...lines] = problem({ file, sets: ['history.actions=click'] }).split('\n')
    assert.equal(head, `${file} has 7 problem(s)`)
    const expected = [
      /^ {2}train\.epoch: unknown option; did you mean 'epochs'\?$/,
      /^ {2}train\.batch: "many"; expected number/,
      /^ {2}modle: unknown option; did you mean 'model'\?$/,
      /^ {2}model\.name: "dinn"; expected one of "din"\|"sim-hard"\|.*\|"ciubm"$/,
      /^ {2}model\.dropout: 1; /,
      /^ {2}seed: -1; /,
      /^ {2}history\.actions: "click"; expected array/,
    ]
    for (const rule of expected) assert.equal(lines.filter((line) => rule.test(line)).length, 1, `${rule}\n${lines}`)
  })

  test('when an unknown option resembles none then those that exist are listed', () => {
    assert.match(
      problem({ sets: ['split.zzzzzzzz=1'] }),
      /split\.zzzzzzzz: unknown option; expected one of train, valid$/,
    )
  })

  test('when the shares of train and validation leave no test then the split is refused', () => {
    for (const schema of [ctrConfig, sftConfig]) {
      const message = problem({ sets: ['split.train=0.9'] }, 'config', schema)
      assert.match(message, /split: \{"train":0\.9\}; expected train \+ valid below 1/)
    }
  })

  test('when a time zone or a unit of times does not exist then it is refused, with the nearest name', () => {
    for (const schema of [ctrConfig, sftConfig]) {
      const zone = (name: string) => problem({ sets: [`data.timeZone='${name}'`] }, 'config', schema)
      assert.match(zone('Asia/Shangai'), /data\.timeZone: "Asia\/Shangai"; .*did you mean 'Asia\/Shanghai'\?/)
      assert.match(zone('+08:00'), /data\.timeZone: .*expected an IANA time zone/)
      assert.match(problem({ sets: ['data.timeUnit=seconds'] }, 'config', schema), /data\.timeUnit: "seconds"/)
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
      /gone\.yaml' was not found; give a path/,
    )
    problem({ file: join(folder, 'folder') }, 'config-missing')
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
    assert.match(stderr, /^error \[config\]: configuration has 2 problem\(s\)\n/)
    assert.match(stderr, /\n {2}train\.epochs: "two"; expected number/)
    assert.match(stderr, /\n {2}train\.bacth: unknown option; did you mean 'batch'\?\n/)
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

  test('when a path leads into what every object has then the option is unknown', () => {
    for (const path of ['__proto__.x', 'data.constructor.name', 'model.toString']) {
      assert.match(problem({ sets: [`${path}=1`] }), /: unknown option$/)
    }
    assert.equal('x' in {}, false)
  })
})
