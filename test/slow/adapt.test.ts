import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { interpolated } from '../../src/checkpoint/adapt.js'
import { readModelFolder } from '../../src/checkpoint/model.js'
import { adapt, place, pretrain, start, weights } from '../checkpoint/adapting.js'
import { sharedFile } from '../fixtures.js'
import { refusal, setArguments } from '../refusal.js'

describe('Tables of positions', () => {
  const grid = [3, -1, 4, 1, 5, -9, 2, 6, -5, 3, 5, 8, 9, -7, 9, 3]
  // torch.nn.functional.interpolate(…, mode='bicubic', align_corners=False)
  const larger = [
    3.09826, 0.84049, 0.12805, 3.78956, 2.78971, 0.25281, 5.89779, -1.42285, -5.82635, 1.20591, 3.84473, 3.36404,
    4.47575, -3.08782, -7.42601, 0.15716, 5.43388, 7.20894, -5.33151, -1.57364, 2.83578, 3.64054, 6.41508, 8.58504,
    1.23069, -0.6709, 0.15506, 6.21539, 7.24902, 5.54915, 11.78501, -0.44032, -6.84934, 7.15122, 7.57053, 1.97733,
  ]
  const smaller = [2.52132, 0.29228, 2.07122, -1.46701, -0.56445, 7.31973, 4.82981, 0.86252, 4.67072]
  const near = (found: Float32Array, expected: number[]) => {
    assert.equal(found.length, expected.length)
    for (const [i, value] of expected.entries()) assert.ok(Math.abs(found[i] - value) < 1e-4, `${i}: ${found[i]}`)
  }

  test('when the grid of patches changes then positions are interpolated as by PyTorch', () => {
    near(interpolated(Float32Array.from(grid), 16, [36, 1]), larger)
    near(interpolated(Float32Array.from(grid), 16, [9, 1]), smaller)
  })

  test('when there is a class token then its position stays', () => {
    const table = Float32Array.from([7, -7, ...grid.flatMap((x) => [x, -x])])
    near(interpolated(table, 17, [10, 2]), [7, -7, ...smaller.flatMap((x) => [x, -x])])
  })
})

describe('Checkpoints made to fit', () => {
  test('when size, width and length change then the folder says so, keeps what it can, and trains', async () => {
    const options = { 'adapt.imageSize': 32, 'adapt.projection': 12, 'adapt.textLength': 6 }
    const { checkpoint } = await adapt('fitted', 0, options)
    const { config, tokenizer, preprocessing } = readModelFolder(checkpoint)
    assert.deepEqual([config.vision.imageSize, config.projection, preprocessing.fit], [32, 12, 'cover'])
    assert.equal(tokenizer.config['model_max_length'], 6)
    const [from, to] = [weights(start), weights(checkpoint)]
    const kept = [...from.keys()].filter((name) => from.get(name)!.bytes.equals(to.get(name)!.bytes))
    const changed = [...from.keys()].filter((name) => !kept.includes(name))
    assert.deepEqual(changed, [
      'vision_model.embeddings.position_embedding.weight',
      'visual_projection.weight',
      'text_projection.weight',
    ])
    for (const name of changed.slice(1)) {
      const { bytes, shape } = to.get(name)!
      assert.deepEqual(shape, [12, 16])
      assert.ok(bytes.equals(from.get(name)!.bytes.subarray(0, bytes.length)), name)
    }
    assert.deepEqual(to.get(changed[0])!.shape, [17, 16])
    const trained = await adapt('fitted and trained', 1, options)
    assert.ok((trained.metrics['steps'] as number) > 0)
  })

  test('when vectors become wider then the rows that were there stay', async () => {
    const { checkpoint } = await adapt('wider', 0, { 'adapt.projection': 24 })
    for (const name of ['visual_projection.weight', 'text_projection.weight']) {
      const [from, to] = [weights(start).get(name)!, weights(checkpoint).get(name)!]
      assert.deepEqual(to.shape, [24, 16])
      assert.ok(to.bytes.subarray(0, from.bytes.length).equals(from.bytes))
      assert.ok(to.bytes.subarray(from.bytes.length).some((byte) => byte !== 0))
    }
  })

  test('when the model cannot be made to fit then it is refused', async () => {
    const attempt = (options: Record<string, unknown>, init = start) =>
      refusal([...pretrain, '--init', init, ...setArguments(options)], place('refused'), 'adapt')
    assert.match(await attempt({ 'adapt.imageSize': 30 }), /adapt\.imageSize 30; expected a multiple of 8/)
    assert.match(await attempt({ 'adapt.textLength': 9 }), /adapt\.textLength 9; expected at most 8/)
    const scratch = [...pretrain, ...setArguments({ 'adapt.projection': 8 })]
    assert.match(
      await refusal(scratch, place('refused'), 'adapt'),
      /adapt\.projection is 8, but there is no model to adapt/,
    )
    const { path, skip } = sharedFile('fixtures/hf-siglip')
    if (skip) return
    assert.match(await attempt({ 'adapt.projection': 8 }, path), /adapt\.projection 8; expected 64 for a SigLIP/)
    assert.match(await attempt({ 'adapt.textLength': 8 }, path), /adapt\.textLength 8; expected 24 for a SigLIP/)
  })
})
