import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { openTables } from '../data/tables.js'

const { db, folder, write } = await openTables()

const draw = (salt: number, below: number) => `CAST(hash(hash(i, ${salt})) % ${below} AS INTEGER)`
const clicked = `CAST(${draw(4, 100)} < CASE WHEN ${draw(2, 10)} < 5 THEN 10 ELSE 30 END AS INTEGER)`
const shown = (
  label: string,
) => `SELECT ${draw(1, 40)} AS user_id, ${draw(2, 10)} AS item_id, ${label} AS label, i AS ts,
  CAST(i % 3 > 0 AS INTEGER) AS counts, CASE WHEN i = 4000 THEN -1.0 ELSE 1.0 END AS wrong FROM range(6000) r(i)`
await write('impressions', shown(clicked))
// Every third impression says the opposite.
await write('doubtful', shown(`CASE WHEN i % 3 = 0 AND i < 4200 THEN 1 - ${clicked} ELSE ${clicked} END`))
await write(
  'behaviors',
  `SELECT ${draw(1, 40)} AS user_id, ${draw(3, 10)} AS item_id, 'click' AS action, i - 100 AS ts FROM range(900) r(i)`,
)
await write('items', 'SELECT i AS item_id FROM range(10) r(i)')

const options = (name: string, ...sets: string[]) => [
  ...['ctr', '--data', folder, '--model', 'din', '--out', join(folder, name), '--batch', '128', '--epochs', '3'],
  ...['data.timeUnit=s', 'features.items=[]', 'model.dim=4', 'model.head=[8]', ...sets].flatMap((set) => [
    '--set',
    set,
  ]),
]
const scores = async (name: string) => {
  const path = join(folder, name, 'predictions.parquet')
  return (await db.columns(`SELECT probability FROM read_parquet('${path}')`, { probability: 'float32' })).probability
}

describe('What impressions count for', () => {
  test('when few of the negatives are kept then fewer steps are done, and predictions are as high as clicks', async () => {
    const [all, few] = [await mimJson(options('all')), await mimJson(options('few', 'train.negatives=0.25'))]
    assert.ok(Number(few['steps']) < 0.5 * Number(all['steps']), `${few['steps']} of ${all['steps']}`)
    for (const { predicted_over_observed: ratio } of [all, few])
      assert.ok(Math.abs(Number(ratio) - 1) < 0.15, `${ratio}`)
    for (const rate of ['load_rows_per_second', 'train_rows_per_second']) assert.ok(Number(few[rate]) > 0, rate)
  })

  test('when impressions have no weight then what they say changes nothing', async () => {
    const weighted = 'data.columns.weight=counts'
    await mimJson(options('plain', weighted))
    await mimJson(options('ignored', weighted, 'data.impressions=doubtful.parquet'))
    await mimJson(options('heeded', 'data.impressions=doubtful.parquet'))
    const [plain, ignored, heeded] = [await scores('plain'), await scores('ignored'), await scores('heeded')]
    const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i])))
    assert.ok(apart(plain, ignored) < 1e-6, `${apart(plain, ignored)}`)
    assert.ok(apart(plain, heeded) > 0.02, `${apart(plain, heeded)}`)
  })

  test('when a weight is below 0 then the run is refused with its row', async () => {
    const { code, stderr } = await mim(options('wrong', 'data.columns.weight=wrong'))
    assert.equal(code, 2)
    assert.match(stderr, /error \[weight-value\]: .*column 'wrong', row 4001: -1/)
  })
})
