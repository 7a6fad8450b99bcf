import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { temporaryFolder } from '../sample/folders.js'
import { mim } from './cli.js'

const folder = await temporaryFolder()
const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mim(['config', ...args])
  assert.equal(code, 0, stderr)
  return stdout
}

const stages = ['pretrain', 'sft', 'embed', 'ctr']
const texts = await Promise.all(stages.map((stage) => printed(stage)))

for (const [i, stage] of stages.entries()) {
  const text = texts[i]

  test(`when the options of ${stage} are printed then they load as a configuration to the same values`, async () => {
    assert.match(text, /^ *# \w+/m)
    assert.equal(await printed(stage, '--config', file(`${stage}.yaml`, text)), text)
  })

  test(`when one option of each group of ${stage} is set then the others keep their defaults`, async () => {
    const firsts = Object.entries(parse(text)).flatMap(([group, options]) => {
      if (typeof options !== 'object' || options === null || Array.isArray(options)) return []
      const [[name, value]] = Object.entries(options)
      return [`${group}: ${JSON.stringify({ [name]: value })}\n`]
    })
    assert.equal(await printed(stage, '--config', file(`${stage}-firsts.yaml`, firsts.join(''))), text)
  })
}

test('when a file and --set are given then the values are the resolved ones, whatever characters they have', async () => {
  const values = { split: { train: 0.5 }, features: { items: ['a: b', '# c'] }, data: { items: 'x\n"y"', root: '' } }
  const given = file('given.yaml', JSON.stringify({ stage: 'ctr', ...values }))
  const text = await printed(
    'ctr',
    '-c',
    given,
    '--set',
    'model.name=din',
    '--set',
    `data.impressions=${'long '.repeat(40)}`,
  )
  const { data, features, model, split } = parse(text)
  assert.deepEqual(
    features.items.map(({ column }: { column: string }) => column),
    values.features.items,
  )
  assert.deepEqual([data.items, data.root, data.impressions], [values.data.items, '', 'long '.repeat(40).trim()])
  assert.deepEqual([model.name, model.dim, split.train, split.valid], ['din', 16, 0.5, 0.1])
})

test('when an option or a stage is unknown then exit code 2 and a word about it', async () => {
  const option = await mim(['config', 'ctr', '--set', 'model.dmi=8'])
  assert.equal(option.code, 2)
  assert.match(option.stderr, /^error \[config\]: --set model\.dmi=8: .*did you mean 'model\.dim'/)
  const stage = await mim(['config', 'train'])
  assert.equal(stage.code, 2)
  assert.match(stage.stderr, /pretrain, sft, embed, ctr/)
})
