import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { parseModelConfig } from '../../src/models/config.js'
import { type Objective, pretrainLoss } from '../../src/models/pretrain.js'
import { Parameters } from '../../src/nn/parameters.js'
import { input } from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { onEachEngine } from '../engines.js'

const [batch, width] = [5, 6]
const config = { ...parseModelConfig({ model_type: 'clip' }, ''), projection: width }
const shape = { config, length: 4, fusion: undefined }

const random = Random.of('vectors')
const vectors = () => Array.from({ length: batch }, () => Array.from({ length: width }, () => random.normal()))
const unit = (rows: number[][]) => rows.map((row) => row.map((x) => x / Math.hypot(...row)))
const [images, texts] = [unit(vectors()), unit(vectors())]
const titleGroup = [0, 1, 0, 3, 4]
const pictureGroup = [0, 1, 2, 1, 4]

/** Symmetric InfoNCE at the temperature 1, without the pairs that `excluded` names, by hand. */
function infoNce(a: number[][], b: number[][], excluded: (i: number, j: number) => boolean): number {
  const dot = (x: number[], y: number[]) => x.reduce((total, value, k) => total + value * y[k], 0)
  const oneWay = (from: number[][], to: number[][]) =>
    from.reduce((total, x, i) => {
      const terms = to.map((y, j) => (j !== i && excluded(i, j) ? 0 : Math.exp(dot(x, y))))
      return total + Math.log(terms.reduce((p, q) => p + q)) - dot(x, to[i])
    }, 0) / from.length
  return (oneWay(a, b) + oneWay(b, a)) / 2
}
const alike = (i: number, j: number) => titleGroup[i] === titleGroup[j] || pictureGroup[i] === pictureGroup[j]

await onEachEngine('Loss of stage 1', (engine) => {
  const lossOf = (change: Partial<Objective>) => {
    const p = new Parameters()
    const objective: Objective = { loss: 'infoNce', matryoshka: [], fusionWeight: 0, ...change }
    const [image, text] = ['image', 'text'].map((name) => input(name, [batch, width]))
    const loss = pretrainLoss(p, shape, { image, text }, batch, objective)
    const session = engine.open(
      { loss: program({ loss }) },
      p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
    )
    for (const { name } of p.list()) session.write(name, Float32Array.of(0))
    const floats = (rows: number[][]) => ({ data: Float32Array.from(rows.flat()), shape: [batch, width] })
    const ones = { data: new Float32Array(batch).fill(1), shape: [batch] }
    const group = (of: number[]) => ({ data: Int32Array.from(of), shape: [batch] })
    const found = session.run('loss', {
      image: floats(images),
      text: floats(texts),
      title_group: group(titleGroup),
      picture_group: group(pictureGroup),
      keep_image: ones,
      keep_text: ones,
    })
    session.dispose()
    return found['loss'].data[0]
  }
  const near = (found: number, expected: number) =>
    assert.ok(Math.abs(found - expected) < 1e-5, `${found}, ${expected}`)

  test('when items share a title or a picture then they are no negatives of each other', () => {
    near(lossOf({}), infoNce(images, texts, alike))
    assert.ok(Math.abs(lossOf({}) - infoNce(images, texts, () => false)) > 0.01)
  })

  test('when prefixes are asked for then the loss is the mean of whole vectors and prefixes of unit norm', () => {
    const prefix = (rows: number[][], size: number) => unit(rows.map((row) => row.slice(0, size)))
    const parts = [6, 2, 3].map((size) => infoNce(prefix(images, size), prefix(texts, size), alike))
    near(lossOf({ matryoshka: [2, 3] }), (parts[0] + parts[1] + parts[2]) / 3)
  })

  test('when the loss is sigmoid then each pair is judged by itself', () => {
    // Factor e⁰ and addend 0, as all parameters are.
    let expected = 0
    for (const [i, x] of images.entries()) {
      for (const [j, y] of texts.entries()) {
        const cosine = x.reduce((total, value, k) => total + value * y[k], 0)
        if (i === j) expected += Math.log1p(Math.exp(-cosine))
        else if (!alike(i, j)) expected += Math.log1p(Math.exp(cosine))
      }
    }
    near(lossOf({ loss: 'sigmoid' }), expected / batch)
  })
})
