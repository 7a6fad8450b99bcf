import assert from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { rewriteWeights, tensorsOf } from '../checkpoint/folders.js'
import { adapt, json, place, pretrain, weights } from '../checkpoint/pretraining.js'
import { mimJson } from '../commands/cli.js'
import { refusal } from '../refusal.js'

describe('Checkpoints in half precision', () => {
  const positions = Int32Array.from([0, 0, 1, 0, 2, 0, 3, 0, 4, 0])
  const extra = [
    { name: 'vision_model.embeddings.position_ids', dtype: 'I64', shape: [1, 5], data: () => positions } as const,
    { name: 'text_model.more', dtype: 'F64', shape: [1], data: () => Float64Array.of(Math.PI) } as const,
  ]

  before(async () => {
    await mimJson([...pretrain, '--epochs', '0', '--out', place('new')])
  })

  const halfOf = (name: string, dtype: 'F16' | 'BF16', shards: number) => {
    const sources = rewriteWeights(place('new/checkpoint'), place(name), { dtype, shards, extra: [...extra] })
    const config = { ...json(place(name), 'config.json'), torch_dtype: dtype === 'F16' ? 'float16' : 'bfloat16' }
    config.text_config.torch_dtype = config.torch_dtype
    writeFileSync(place(`${name}/config.json`), JSON.stringify(config))
    return { sources, config }
  }

  for (const [dtype, shards] of [
    ['F16', 1],
    ['BF16', 3],
  ] as const) {
    test(`when weights are ${dtype} in ${shards} files and none is trained then all stay as they are`, async () => {
      const { sources, config } = halfOf(`half ${dtype}`, dtype, shards)
      await adapt(place(`half ${dtype}`), `as it is ${dtype}`, 0)
      const saved = place(`as it is ${dtype}/checkpoint`)
      const found = tensorsOf(join(saved, weights))
      assert.deepEqual([...found.keys()].sort(), sources.map(({ name }) => name).sort())
      for (const { name, dtype, shape, data } of sources) {
        const { buffer, byteOffset, byteLength } = data() as ArrayBufferView
        const bytes = Buffer.from(buffer, byteOffset, byteLength)
        const tensor = found.get(name)!
        assert.deepEqual([tensor.dtype, tensor.shape], [dtype, shape], name)
        assert.ok(tensor.bytes.equals(bytes), name)
      }
      assert.deepEqual(json(saved, 'config.json'), config)
    })
  }

  test('when weights in half precision are trained then they become float32, and the configuration says so', async () => {
    halfOf('half trained', 'BF16', 1)
    await adapt(place('half trained'), 'trained', 1)
    const saved = place('trained/checkpoint')
    for (const [name, { dtype }] of tensorsOf(join(saved, weights))) {
      // It changes no softmax, so that it may stay what it is, and as it was stored.
      if (name.endsWith('k_proj.bias')) continue
      assert.equal(dtype, extra.find((e) => e.name === name)?.dtype ?? 'F32', name)
    }
    const config = json(saved, 'config.json')
    assert.deepEqual([config.torch_dtype, config.text_config.torch_dtype], ['float32', 'float32'])
  })

  test('when a shard, a tensor or the weights are missing or misshapen then the error names it', async () => {
    halfOf('broken', 'F16', 3)
    const attempt = (id: string) => refusal([...pretrain, '--init', place('broken')], place('refused'), id)
    const shard = place('broken/model-2-of-3.safetensors')
    renameSync(shard, `${shard}.away`)
    assert.match(await attempt('weights-missing'), /broken: model-2-of-3\.safetensors is missing/)
    renameSync(`${shard}.away`, shard)

    const config = json(place('broken'), 'config.json')
    const change = (tower: string, values: object) =>
      writeFileSync(
        place('broken/config.json'),
        JSON.stringify({ ...config, [tower]: { ...config[tower], ...values } }),
      )
    change('text_config', { num_hidden_layers: 2 })
    assert.match(await attempt('tensor-missing'), /tensor 'text_model\.encoder\.layers\.1\.[a-z0-9_.]+' is missing/)
    change('vision_config', { patch_size: 4 })
    const misshapen = /'vision_model\.embeddings\.patch_embedding\.weight' is \[16, 3, 8, 8\]; expected \[16, 3, 4, 4\]/
    assert.match(await attempt('tensor-shape'), misshapen)

    rmSync(place('broken/model.safetensors.index.json'))
    assert.match(
      await attempt('weights-missing'),
      /broken: the folder has no weights; found model-1-of-3\.safetensors, /,
    )
    writeFileSync(place('broken/config.json'), JSON.stringify({ ...config, model_type: 'blip' }))
    const unknown = /broken\/config\.json: model_type "blip" is not supported; expected clip, chinese_clip, siglip/
    assert.match(await attempt('model-architecture'), unknown)
  })
})
