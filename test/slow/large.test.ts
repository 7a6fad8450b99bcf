import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { literal } from '../../src/data/tables/duckdb.js'
import { mim } from '../commands/cli.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'

const [db, root] = [await openDatabase(), await temporaryFolder()]
const out = join(root, 'large')
const make = (folder: string, ...more: string[]) => mim(['sample', '--out', folder, '--impressions', '3000', ...more])
const table = (name: string, folder = out) => `read_parquet(${literal(join(folder, `${name}.parquet`))})`
const figures = <T>(sql: string) => db.row<T>(sql)

describe('Large samples', () => {
  before(async () => {
    const { code, stderr } = await make(out, '--history', '40')
    assert.equal(code, 0, stderr)
  })

  test('when impressions are asked for then there are so many, each with a whole history before it', async () => {
    const { rows, least } = await figures<{ rows: bigint; least: bigint }>(
      `SELECT count(*) AS rows, min(past) AS least FROM (SELECT
         (SELECT count(*) FROM ${table('behaviors')} b WHERE b.user_id = i.user_id AND b.ts < i.ts) AS past
         FROM ${table('impressions')} i)`,
    )
    assert.deepEqual([rows, least >= 40n], [3000n, true])
  })

  test('when vectors are made then each item has one of length 1, nearer to its category than to others', async () => {
    const { apart, own, others } = await figures<{ apart: number; own: number; others: number }>(
      `WITH v AS (SELECT category, embedding AS e FROM ${table('embeddings')} JOIN ${table('items')} USING (item_id) LIMIT 200),
         p AS (SELECT a.category = b.category AS alike, list_dot_product(a.e, b.e) AS cosine FROM v a, v b)
       SELECT max(abs(1 - list_dot_product(e, e))) AS apart, (SELECT avg(cosine) FROM p WHERE alike) AS own,
         (SELECT avg(cosine) FROM p WHERE NOT alike) AS others FROM v`,
    )
    assert.ok(apart < 1e-5, `${apart}`)
    assert.ok(own > others + 0.5, `${own} against ${others}`)
  })

  test('when the seed is the same then so are the rows, and clicks follow what users did', async () => {
    const again = join(root, 'again')
    assert.equal((await make(again, '--history', '40')).code, 0)
    const digest = (folder: string) =>
      figures(`SELECT bit_xor(hash(i)) AS digest FROM ${table('impressions', folder)} i`)
    assert.deepEqual(await digest(again), await digest(out))
    const { liked, other } = await figures<{ liked: number; other: number }>(
      `WITH taste AS (SELECT user_id, mode(category) AS category FROM ${table('behaviors')} JOIN ${table('items')} USING (item_id)
         GROUP BY user_id),
         rows AS (SELECT label, i.category = t.category AS is_liked FROM ${table('impressions')} JOIN ${table('items')} i
           USING (item_id) JOIN taste t USING (user_id))
       SELECT avg(label) FILTER (is_liked) AS liked, avg(label) FILTER (NOT is_liked) AS other FROM rows`,
    )
    assert.ok(liked > 2 * other && other > 0.02 && liked < 0.4, `${liked} against ${other}`)
    const { users } = await figures<{ users: bigint }>(
      `SELECT count(DISTINCT user_id) AS users FROM (FROM ${table('impressions')} ORDER BY ts DESC LIMIT 300)`,
    )
    assert.equal(users, 20n, 'users at any time')
  })

  test('when sizes are no numbers or do not go together then the command is refused', async () => {
    const refused = async (id: string, ...args: string[]) => {
      const { code, stderr } = await mim(['sample', '--out', join(root, 'none'), ...args])
      assert.equal(code, 2)
      assert.match(stderr, new RegExp(`\\[${id}\\]`))
    }
    await refused('sample-size', '--impressions', '0')
    await refused('sample-size', '--impressions', 'many')
    await refused('option-conflict', '--impressions', '10', '--size', 'tiny')
    await refused('option-conflict', '--history', '10')
  })
})
