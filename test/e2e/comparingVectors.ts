import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { checkpointFolder, readModelFolder } from '../../src/checkpoint/model.js'
import { openWeights } from '../../src/checkpoint/weights.js'
import { prepareCatalogue } from '../../src/data/items/catalogue.js'
import { loadItems } from '../../src/data/items/items.js'
import { Database } from '../../src/data/tables/duckdb.js'
import { textEncoder } from '../../src/data/text/tokenizer.js'
import { meanPairwiseCosine } from '../../src/metrics/index.js'
import { contentWidth, encoderPrograms, encoderShape } from '../../src/models/encoder.js'
import { Parameters } from '../../src/nn/parameters.js'
import { encodeItems } from '../../src/stages/shared/encode.js'
import { mimJson } from '../commands/cli.js'
import { onEachEngine } from '../engines.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const run = (name: string) => join(folder, name)

/** Pretrains for `epochs` and embeds; with C-SFT after it where `withSft`. */
async function prepare(epochs: number, withSft: boolean): Promise<void> {
  const options = ['train.learningRate=0.005', 'train.evaluateEvery=1000', 'train.saveEvery=0']
  const longer = ['--epochs', `${epochs}`, ...options.flatMap((option) => ['--set', option])]
  await mimJson([...stages.pretrain, ...longer, '--engine', 'wasm', '--out', run('pretrain')])
  const gentle = ['--set', 'train.learningRate=0.00005']
  if (withSft)
    await mimJson([...stages.sft, ...gentle, '--engine', 'wasm', '--init', run('pretrain'), '--out', run('sft')])
  for (const stage of withSft ? ['pretrain', 'sft'] : ['pretrain']) {
    await mimJson([...stages.embed, '--checkpoint', run(stage), '--out', run(`embed ${stage}`)])
  }
}

/** A checkpoint's parts, and the catalogue as it sees it. */
async function open(stage: string) {
  const model = readModelFolder(checkpointFolder(run(stage)))
  const shape = encoderShape(model)
  const db = await Database.open()
  const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
  const items = await loadItems(db, join(folder, 'tiny/items.parquet'), columns)
  const { preprocessing, tokenizer } = model
  const text = textEncoder(tokenizer, shape.length, shape.config.text.padToken)
  const pictures = { size: shape.config.vision.imageSize, fit: preprocessing.fit, maxPixels: 1e6, maxBad: 0 }
  const catalogue = await prepareCatalogue(
    items,
    text,
    { ...pictures, cache: run('cache'), cacheLimit: 1, allowOutside: false },
    () => {},
  )
  db.close()
  return { model, shape, catalogue }
}

interface Row {
  embedding: number[]
  image: number[] | null
  text: number[] | null
}

/** Largest difference between row `i` of a matrix and the vector of an embedding table. */
function difference(matrix: Float32Array, width: number, i: number, vector: number[]): number {
  assert.equal(vector.length, width)
  return Math.max(...vector.map((value, k) => Math.abs(value - matrix[i * width + k])))
}

/**
 * Vectors of ONNX Runtime against those of the training engines. After few epochs vectors of all items are nearly
 * the same: after many their mean cosine must be below `mostAlike`.
 */
export async function compareVectors(epochs: number, withSft: boolean, mostAlike: number): Promise<void> {
  before(() => prepare(epochs, withSft))
  await onEachEngine('vectors of ONNX Runtime', (engine) => {
    for (const stage of withSft ? ['pretrain', 'sft'] : ['pretrain']) {
      test(`when a checkpoint of ${stage} is embedded then the vectors are those of the training engine`, async () => {
        const { model, shape, catalogue } = await open(stage)
        const p = new Parameters()
        const programs = encoderPrograms(p, shape)
        const session = engine.open(
          programs,
          p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
        )
        const weights = openWeights(model.path)
        for (const parameter of p.list()) session.write(parameter.name, weights.read(parameter)!)
        weights.close()
        const all = Int32Array.from({ length: catalogue.items.count }, (_, i) => i)
        const trained = await encodeItems(session, catalogue, all, shape, model.preprocessing)
        session.dispose()
        catalogue.pictures.close()

        const rows = await query<Row>(
          'SELECT embedding, image_embedding AS image, text_embedding AS text FROM {table} ORDER BY item_id',
          { table: join(run(`embed ${stage}`), 'embeddings/*.parquet') },
        )
        assert.equal(rows.length, all.length)
        for (const [i, { image, text, embedding }] of rows.entries()) {
          assert.deepEqual([image !== null, text !== null], [catalogue.hasImage[i] === 1, catalogue.hasText[i] === 1])
          if (image) assert.ok(difference(trained.image, shape.config.projection, i, image) <= 1e-4, `image ${i}`)
          if (text) assert.ok(difference(trained.text, shape.config.projection, i, text) <= 1e-4, `text ${i}`)
          assert.ok(difference(trained.content, contentWidth(shape), i, embedding) <= 1e-4, `fused ${i}`)
        }
        const cosine = meanPairwiseCosine(trained.content, contentWidth(shape))
        assert.ok(cosine < mostAlike, `vectors of different items have a cosine of ${cosine}`)
        const lacking = (has: Uint8Array) => has.filter((flag) => flag === 0).length
        assert.ok(lacking(catalogue.hasImage) > 0 && lacking(catalogue.hasText) > 0, 'some items lack a modality')
      })
    }
  })
}
