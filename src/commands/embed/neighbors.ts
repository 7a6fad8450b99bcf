import { existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type Input, requireFileApart } from '../../base/apart.js'
import { UserError } from '../../base/errors.js'
import { replaceFile } from '../../base/files.js'
import { withCurrentNames } from '../../base/formerNames.js'
import { matching, readYaml } from '../../base/ownFile.js'
import { checkFile } from '../../base/places.js'
import { lockOutput } from '../../base/runStage.js'
import { type EmbedConfig, embedConfig } from '../../config/embed.js'
import { inputsOf } from '../../data/inputs.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import { findTable } from '../../data/tables/contract.js'
import { Database } from '../../data/tables/duckdb.js'
import { gallery, page } from '../../report/index.js'
import { indexRecall, itemCards, type Listed, listed, queryVector, rowOf } from '../../stages/embed/neighbors.js'
import { currentTable, EmbeddingTable, HnswIndex, nearestRows, tableFolder } from '../../store/index.js'
import { Terminal } from '../../train/terminal.js'
import type { OptionsOf } from '../options.js'
import type * as declarations from './declarations.js'

type Flags = OptionsOf<typeof declarations.neighbors>

export async function run(path: string, flags: Flags): Promise<void> {
  const { item, text, image, k } = flags
  if ([item, text ?? image].filter((query) => query !== undefined).length !== 1) {
    const expected = '--item, or --text, --image or both'
    throw new UserError({ id: 'query-missing', what: 'no query, or more than one', expected })
  }
  checkCount('-k', k)
  checkCount('--recall-items', flags.recallItems)
  if (flags.html !== undefined) checkFile(flags.html, '--html')
  const terminal = new Terminal()
  using db = await Database.open()
  using table = EmbeddingTable.open(path)
  const config = configOfRun(path, flags)
  if (flags.html) requireFileApart(flags.html, '--html', readBy(path, config, flags))
  const source = { ...config.data, path: findTable(config.data.root, config.data.items) }
  const row = item === undefined ? undefined : rowOf(table, item)
  const vector =
    row === undefined
      ? await queryVector(config, table, flags, (line) => terminal.say(line))
      : table.vectorsAt(Int32Array.of(row))
  const index = flags.index ? await indexOf(table, terminal) : undefined
  const found = index ? index.nearest(vector, k, row) : nearestRows(table, vector, k, [row])[0]
  const recall = index ? { recall: indexRecall(table, index, k, flags.recallItems) } : {}
  const items = await listed(db, source, table, found)
  if (flags.html) {
    const card = await itemCards(db, source, [...items.map(({ item: id }) => id), ...idsOf(table, row)])
    const [id] = idsOf(table, row)
    const picture =
      image && (await thumbnail(image, { folder: '.', allowOutside: true, maxPixels: source.maxImagePixels }))
    const query = id === undefined ? { text, picture: picture || undefined } : card(id)
    const cards = items.map(({ item: near, score }) => card(near, { note: score.toFixed(3) }))
    const content = [gallery('Nearest neighbors', 'Numbers are cosines.', [{ query, found: cards }])]
    const facts = [['table', path] as const, ['items', String(table.manifest.rows)] as const]
    using _lock = lockOutput(flags.html)
    await replaceFile(flags.html, (temporary) =>
      writeFileSync(temporary, page({ title: 'mim neighbors', facts, content })),
    )
  }
  process.stdout.write(flags.json ? json({ neighbors: items, ...recall }) : lines(items, recall))
}

/** Neighbors of a query, and queries. */
const mostCounted = 100_000

/** @throws UserError `k-value` */
function checkCount(option: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= mostCounted) return
  const expected = `a whole number from 1 to ${mostCounted}`
  throw new UserError({ id: 'k-value', where: option, what: `${value}`, expected })
}

/** What the command reads: the table with its index, the catalogue, the checkpoint, the query picture, and the run. */
function readBy(path: string, config: EmbedConfig, { image }: Flags): Input[] {
  const run = runOf(path)
  const ofRun = [tableFolder, currentTable, 'tables', 'config.yaml', 'metrics.json', 'report.html'].map((name) => ({
    option: 'the run',
    path: join(run, name),
  }))
  return [...inputsOf(config), ...ofRun, ...(image ? [{ option: '--image', path: image }] : [])]
}

/** The id of a query item as a list; empty for other queries. */
const idsOf = (table: EmbeddingTable, row: number | undefined) => (row === undefined ? [] : table.ids.read(row, 1))

async function indexOf(table: EmbeddingTable, terminal: Terminal): Promise<HnswIndex> {
  const bar = terminal.bar('rows indexed', table.manifest.rows)
  const say = (line: string) => terminal.say(line)
  const index = await HnswIndex.open(table, (rows) => bar.update(rows), say)
  bar.stop()
  return index
}

/** The run folder of a table in it. */
const runOf = (path: string) =>
  [tableFolder, currentTable].includes(basename(resolve(path))) ? dirname(resolve(path)) : path

/** The configuration of the run that wrote the table; options replace its paths. */
function configOfRun(path: string, { data, checkpoint }: Flags): EmbedConfig {
  const run = runOf(path)
  const file = join(run, 'config.yaml')
  const recovery = { remedy: 'run mim embed again; its vectors are kept' }
  const { stage: _, ...known } = existsSync(file) ? readYaml(file, recovery) : {}
  const config = matching(file, 'merge' in known ? {} : withCurrentNames(known), embedConfig, recovery)
  return {
    ...config,
    checkpoint: checkpoint ?? config.checkpoint,
    data: { ...config.data, root: data ?? config.data.root },
  }
}

/** Integer ids beyond 2^53 become strings, because a JavaScript number would round them. */
function json(value: object): string {
  const plain = (_: string, v: unknown) =>
    typeof v !== 'bigint' ? v : Number.isSafeInteger(Number(v)) ? Number(v) : String(v)
  return `${JSON.stringify(value, plain)}\n`
}

function lines(items: readonly Listed[], { recall }: { recall?: number }): string {
  const rows = items.map(({ item, title, category, score }, i) =>
    [String(i + 1).padStart(3), score.toFixed(4), String(item), title ?? '–', category ? `(${category})` : ''].join(
      '  ',
    ),
  )
  const note =
    recall === undefined ? [] : [`recall of the index: ${(100 * recall).toFixed(1)} % of the exact neighbors`]
  return [...rows, ...note].map((line) => `${line.trimEnd()}\n`).join('')
}
