/** Writes a simulated market as Parquet tables and picture files. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBTimestampValue } from '@duckdb/node-api'
import { Random } from '../../base/random.js'
import { Database } from '../../data/tables/duckdb.js'
import type { Progress } from '../once.js'
import { inParallel } from '../parallel.js'
import { brands, categories } from './attributes.js'
import { drawItem, render } from './drawing.js'
import type { Market } from './simulate.js'

/** Writes items, behaviors, impressions (Parquet) and the photos of queries to `folder`. */
export async function writeTables(folder: string, market: Market, seed: number, progress?: Progress): Promise<void> {
  const db = await Database.open()
  try {
    await writeItems(db, folder, market, seed, progress)
    const photos = await writePhotos(folder, market, seed, progress)
    progress?.('tables', 0, 2)
    await writeImpressions(db, folder, market)
    progress?.('tables', 1, 2)
    await writeBehaviors(db, folder, market, photos)
    progress?.('tables', 2, 2)
  } finally {
    db.close()
  }
}

async function writeItems(db: Database, folder: string, { items }: Market, seed: number, progress?: Progress) {
  await db.run(
    'CREATE TABLE items (item_id BIGINT, title VARCHAR, image BLOB, category VARCHAR, brand VARCHAR, price DOUBLE, ' +
      'created_at TIMESTAMP)',
  )
  const poses = Random.of(seed, 'poses')
  const pictures = await inParallel(
    items,
    (item, i) => item.picture && render(drawItem(item, poses.fork(i)), item.picture),
    (done) => progress?.('item pictures', done, items.length),
  )
  await db.insert('items', [
    items.map(({ id }) => id),
    items.map(({ title }) => title),
    pictures,
    items.map(({ attributes }) => categories[attributes.category].name),
    items.map(({ attributes }) => brands[attributes.brand].name),
    items.map(({ price }) => price),
    items.map(({ createdAt }) => timestamp(createdAt)),
  ])
  await writeParquet(db, 'items', folder)
}

/** Draws the photos of queries into `query_images`; returns the relative path by request. */
async function writePhotos(folder: string, { requests }: Market, seed: number, progress?: Progress) {
  const photos = requests.flatMap(({ query }, r) => (query?.photo ? [{ photo: query.photo, r }] : []))
  await mkdir(join(folder, 'query_images'))
  const poses = Random.of(seed, 'photos')
  const paths = new Map<number, string>()
  await inParallel(
    photos,
    async ({ photo, r }, i) => {
      const path = `query_images/${String(i).padStart(6, '0')}.jpg`
      await writeFile(join(folder, path), await render(drawItem(photo, poses.fork(i)), 'jpeg'))
      paths.set(r, path)
    },
    (done) => progress?.('query photos', done, photos.length),
  )
  return paths
}

async function writeImpressions(db: Database, folder: string, { items, users, requests, log }: Market) {
  await db.run(
    'CREATE TABLE impressions (request_id VARCHAR, user_id VARCHAR, item_id BIGINT, label TINYINT, ts TIMESTAMP, ' +
      'position TINYINT)',
  )
  const rows = [...log.request.keys()]
  await db.insert('impressions', [
    rows.map((i) => requestId(log.request[i])),
    rows.map((i) => users[requests[log.request[i]].user].id),
    rows.map((i) => items[log.item[i]].id),
    log.label,
    rows.map((i) => timestamp(log.ts[i])),
    log.position,
  ])
  await writeParquet(db, 'impressions', folder)
}

async function writeBehaviors(db: Database, folder: string, market: Market, photos: Map<number, string>) {
  await db.run(
    'CREATE TABLE behaviors (user_id VARCHAR, item_id BIGINT, action VARCHAR, ts TIMESTAMP, request_id VARCHAR, ' +
      'query_text VARCHAR, query_image VARCHAR)',
  )
  const { items, users, requests, log } = market
  const rows = eventsOf(market).map((event) => ({ ...event, r: log.request[event.i] }))
  await db.insert('behaviors', [
    rows.map(({ r }) => users[requests[r].user].id),
    rows.map(({ i }) => items[log.item[i]].id),
    rows.map(({ action }) => action),
    rows.map(({ ts }) => timestamp(ts)),
    rows.map(({ r }) => requestId(r)),
    rows.map(({ r }) => requests[r].query?.text ?? null),
    rows.map(({ r }) => photos.get(r) ?? null),
  ])
  await writeParquet(db, 'behaviors', folder)
}

/** The behaviors of every impression `i`, in order of time. */
function eventsOf({ log }: Market): { i: number; action: string; ts: number }[] {
  const events: { i: number; action: string; ts: number }[] = []
  for (let i = 0; i < log.ts.length; i++) {
    events.push({ i, action: 'expose', ts: log.ts[i] })
    if (log.clickedAt[i] > 0) events.push({ i, action: 'click', ts: log.clickedAt[i] })
    if (log.boughtAt[i] > 0) events.push({ i, action: 'purchase', ts: log.boughtAt[i] })
  }
  return events.sort((a, b) => a.ts - b.ts || a.i - b.i)
}

async function writeParquet(db: Database, table: string, folder: string): Promise<void> {
  await db.writeParquet(`FROM ${table}`, join(folder, `${table}.parquet`))
  await db.run(`DROP TABLE ${table}`)
}

function requestId(r: number): string {
  return `r${String(r + 1).padStart(7, '0')}`
}

function timestamp(microseconds: number): DuckDBTimestampValue {
  return new DuckDBTimestampValue(BigInt(microseconds))
}
