import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Warning } from '../../src/base/warning.js'
import { openCheckpoint } from '../../src/checkpoint/hub.js'
import { openWeights } from '../../src/checkpoint/weights.js'
import { type TensorSource, writeSafetensors } from '../../src/formats/safetensors.js'
import { versionOf } from '../../src/stages/embed/describe.js'
import { assertRefused } from '../errors/refused.js'
import { temporaryFolder } from '../sample/folders.js'
import { inOtherFiles, tensorsOf } from './folders.js'
import { writeSmallCheckpoint } from './small.js'

const folder = await temporaryFolder()
const start = join(folder, 'start')
writeSmallCheckpoint(start)
let copies = 0
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

/** A copy of the checkpoint, changed. */
function copy(change: (path: string) => void, from = start): string {
  const path = join(folder, `copy ${copies++}`)
  cpSync(from, path, { recursive: true })
  change(path)
  return path
}

/** Another configuration of the text tower. */
const withText = (values: object) => (path: string) => {
  const config = json(path, 'config.json')
  const text = { ...config.text_config, ...values }
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, text_config: text }))
}

/** Other tensors; null removes one. */
const withTensors = (changes: Record<string, TensorSource | null>) => (path: string) => {
  const file = join(path, 'model.safetensors')
  const found = [...tensorsOf(file)].map(
    ([name, { dtype, shape, bytes }]) => [name, { name, dtype, shape, data: () => bytes }] as [string, TensorSource],
  )
  const tensors = { ...Object.fromEntries(found), ...changes }
  writeSafetensors(
    file,
    Object.values(tensors).filter((tensor) => tensor !== null),
  )
}

const tensor = (name: string, numbers: Float32Array, shape = [numbers.length]): Record<string, TensorSource> => ({
  [name]: { name, dtype: 'F32', shape, data: () => numbers },
})

async function open(path: string) {
  const warnings: Warning[] = []
  const bars = { bar: () => ({ update() {}, stop() {} }) }
  const model = await openCheckpoint(path, bars, (warning) => warnings.push(warning))
  return { model, warnings }
}

describe('Checkpoints as versions of transformers write them', () => {
  for (const shards of [1, 2]) {
    test(`when weights are ${shards} file of torch.save, and settings and tokenizer in other files, then all is the same`, async () => {
      const path = copy((path) => inOtherFiles(path, shards))
      const [{ model, warnings }, { model: wanted }] = [await open(path), await open(start)]
      assert.deepEqual(warnings, [])
      assert.deepEqual(
        [model.tokenizer, model.preprocessing, model.config],
        [wanted.tokenizer, wanted.preprocessing, wanted.config],
      )
      using found = openWeights(path)
      using expected = openWeights(start)
      for (const name of expected.names) {
        const parameter = { name, shape: expected.shape(name) }
        assert.deepEqual(found.read(parameter), expected.read(parameter), name)
      }
    })
  }

  test('when both formats of weights are there then safetensors is read', async () => {
    const path = copy((path) => writeFileSync(join(path, 'pytorch_model.bin'), 'never read'))
    await open(path)
    assert.equal(await versionOf(path), await versionOf(start))
  })

  test('when weights of torch.save, a vocabulary or settings change then the version of the model does', async () => {
    const versions = [
      copy(inOtherFiles),
      copy((path) => {
        inOtherFiles(path)
        const bytes = readFileSync(join(path, 'pytorch_model.bin'))
        bytes[bytes.indexOf('model/data/0') + 20] ^= 1
        writeFileSync(join(path, 'pytorch_model.bin'), bytes)
      }),
      copy((path) => {
        inOtherFiles(path)
        writeFileSync(join(path, 'merges.txt'), '#version: 0.2\n')
      }),
    ]
    assert.equal(new Set(await Promise.all(versions.map(versionOf))).size, 3)
  })
})

describe('Weights that are not what config.json says', () => {
  const name = 'visual_projection.weight'
  test('when a weight is NaN or infinite then the error names tensor and place', async () => {
    for (const value of [Number.NaN, -Infinity]) {
      const numbers = new Float32Array(64).fill(1)
      numbers[8 * 3 + 5] = value
      const path = copy(withTensors(tensor(name, numbers, [8, 8])))
      await assertRefused(
        () => open(path),
        'tensor-not-finite',
        /model\.safetensors: tensor 'visual_projection\.weight' .* at \[3, 5\]/,
      )
    }
  })

  test('when a tensor is not used then it is named', async () => {
    const other = 'text_model.encoder.layers.1.mlp.fc1.bias'
    const ids: TensorSource = {
      name: 'text_model.embeddings.position_ids',
      dtype: 'I64',
      shape: [1],
      data: () => BigInt64Array.of(0n),
    }
    const { warnings } = await open(copy(withTensors({ ...tensor(other, new Float32Array(32)), [ids.name]: ids })))
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['tensor-unused'],
    )
    assert.match(
      warnings[0].what,
      /not part of the clip in config\.json and are not used: text_model\.encoder\.layers\.1\.mlp\.fc1\.bias$/,
    )
  })

  test('when a tensor of a tower or of the fusion head is missing then no stage starts from a random one', async () => {
    await assertRefused(
      () => open(copy(withTensors({ [name]: null }))),
      'tensor-missing',
      /tensor 'visual_projection\.weight'/,
    )
    const prefixed = { [name]: null, ...tensor(`model.${name}`, new Float32Array(64), [8, 8]) }
    await assertRefused(
      () => open(copy(withTensors(prefixed))),
      'tensor-missing',
      /tensor 'visual_projection\.weight' is missing; there is 'model\.visual_projection\.weight'/,
    )
    const fused = join(folder, 'fused')
    writeSmallCheckpoint(fused, true)
    await open(fused)
    const path = copy((path) => rmSync(join(path, 'mim.safetensors')), fused)
    await assertRefused(() => open(path), 'tensor-missing', /tensor 'fusion\./)
  })

  test('when no weights are there then the error says what is', async () => {
    const path = copy((path) => {
      rmSync(join(path, 'model.safetensors'))
      writeFileSync(join(path, 'tf_model.h5'), '')
    })
    await assertRefused(
      () => open(path),
      'weights-missing',
      /no weights; found tf_model\.h5; expected one of model\.safetensors, /,
    )
  })

  test('when an index of shards names a file elsewhere then it is refused', async () => {
    const path = copy((path) => {
      rmSync(join(path, 'model.safetensors'))
      const index = { weight_map: { a: '../../secret.safetensors' } }
      writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify(index))
    })
    await assertRefused(
      () => open(path),
      'weights-missing',
      /'\.\.\/\.\.\/secret\.safetensors' is not the name of a file beside/,
    )
  })
})

describe('Tokenizers that do not fit the text tower', () => {
  test('when eos_token_id is not the end token then the error has the right number', async () => {
    const path = copy(withText({ eos_token_id: 7 }))
    await assertRefused(
      () => open(path),
      'tokenizer-ids',
      /eos_token_id in config\.json is 7; expected \d+, which the tokenizer puts/,
    )
  })

  test('when eos_token_id is that of OpenAI then the highest id is the end, and another end token is said', async () => {
    assert.deepEqual((await open(copy(withText({ eos_token_id: 2 })))).warnings, [])
    const path = copy((path) => {
      withText({ eos_token_id: 2 })(path)
      const tokenizer = json(path, 'tokenizer.json')
      const [end] = tokenizer.post_processor.cls
      tokenizer.post_processor.sep = [end, tokenizer.model.vocab[end]]
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer))
    })
    assert.deepEqual(
      (await open(path)).warnings.map(({ id }) => id),
      ['text-end'],
    )
  })

  test('when the tokenizer has more tokens than the model then one is named', async () => {
    const path = copy((path) => {
      const tokenizer = json(path, 'tokenizer.json')
      tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id: 5000, content: '<extra>' })
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer))
    })
    const [{ id, what }] = (await open(path)).warnings
    assert.equal(id, 'tokenizer-vocabulary')
    assert.match(what, /"<extra>" with id 5000/)
  })

  test('when tokenizer.json has a part that the library does not know then it is refused', async () => {
    const path = copy((path) => {
      const tokenizer = json(path, 'tokenizer.json')
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify({ ...tokenizer, post_processor: { type: 'Unheard' } }))
    })
    await assertRefused(() => open(path), 'tokenizer-broken', /Unheard/)
  })
})
