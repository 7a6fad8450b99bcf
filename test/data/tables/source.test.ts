import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { DataFacts } from '../../../src/data/facts.js'
import { openTable } from '../../../src/data/tables/contract.js'
import { fileColumn, fileNumberColumn, fileRowColumn } from '../../../src/data/tables/source.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()

/** Writes a part, whatever its name, below the folder of tables. */
async function part(path: string, query: string): Promise<void> {
  await mkdir(join(folder, dirname(path)), { recursive: true })
  await rename(await write('part', query), join(folder, path))
}

const ids = async (path: string) => {
  const { source } = await openTable(db, join(folder, path), { id: { type: 'id' } })
  return (await db.rows<{ id: number }>(`SELECT id FROM ${source}`)).map(({ id }) => Number(id))
}

async function factsOf(path: string): Promise<DataFacts> {
  const facts = new DataFacts()
  await openTable(db, join(folder, path), { id: { type: 'id' } }, facts)
  return facts
}

describe('Files of a table', () => {
  test('when other programs leave files in a folder then they are not read, at any depth', async () => {
    await part('left/b.parquet', 'SELECT 2 AS id')
    await part('left/a.parquet', 'SELECT 1 AS id')
    await part('left/sub/c.parquet', 'SELECT 3 AS id')
    await part('left/_temporary/0/a.parquet', 'SELECT 10 AS id')
    await part('left/sub/.staging/x/a.parquet', 'SELECT 11 AS id')
    await part('left/_a.parquet', 'SELECT 12 AS id')
    await writeFile(join(folder, 'left/._a.parquet'), Buffer.from([0, 5, 22, 7]))
    await writeFile(join(folder, 'left/_SUCCESS'), '')
    assert.deepEqual(await ids('left'), [1, 2, 3])
    assert.deepEqual(await ids('left/**/*.parquet'), [1, 2, 3])
    assert.deepEqual(await ids('left/_temporary/*/*.parquet'), [10])
    assert.deepEqual(await ids('left/_temporary'), [10])
  })

  test('when a hive key begins with _ then its partitions are read', async () => {
    await part('keys/_day=1/a.parquet', 'SELECT 1 AS id')
    await part('keys/_day=2/a.parquet', 'SELECT 2 AS id')
    const { source } = await openTable(db, join(folder, 'keys'), {})
    assert.deepEqual(await db.rows(`SELECT id, _day FROM ${source} ORDER BY id`), [
      { id: 1, _day: 1n },
      { id: 2, _day: 2n },
    ])
  })

  test('when parts are links, or lie behind one, then they are read once', async () => {
    await part('elsewhere/a.parquet', 'SELECT 1 AS id')
    await mkdir(join(folder, 'links/more'), { recursive: true })
    await symlink(join(folder, 'elsewhere'), join(folder, 'links/linked'))
    await symlink(join(folder, 'links'), join(folder, 'links/more/again'))
    await symlink(join(folder, 'links'), join(folder, 'linked'))
    for (const path of ['links', 'linked']) assert.deepEqual(await ids(path), [1])
  })

  test('when files of a table have different hive keys then the error names two of them', async () => {
    const cases = [
      ['a.parquet', 'label=1/b.parquet', 'label here, none in .*a\\.parquet'],
      ['day=1/a.parquet', 'hour=3/b.parquet', 'hour here, day in .*a\\.parquet'],
      ['day=1/a.parquet', 'day=2/hour=3/b.parquet', 'day, hour here, day in .*a\\.parquet'],
      ['day=1/a.parquet', 'loose.parquet', 'none here, day in .*a\\.parquet'],
    ]
    for (const [i, [first, second, message]] of cases.entries()) {
      await part(`mixed${i}/${first}`, 'SELECT 1 AS id')
      await part(`mixed${i}/${second}`, 'SELECT 2 AS id')
      for (const path of [`mixed${i}`, `mixed${i}/**/*.parquet`]) {
        await assert.rejects(factsOf(path), { id: 'hive-key', message: new RegExp(message) }, path)
      }
    }
  })

  test('when hive partitions lie at different depths then their keys are read all the same', async () => {
    await part('depths/day=1/a.parquet', 'SELECT 1 AS id')
    await part('depths/day=2/more/b.parquet', 'SELECT 2 AS id')
    const { source } = await openTable(db, join(folder, 'depths'), {})
    assert.deepEqual(await db.rows(`SELECT id, day FROM ${source} ORDER BY id`), [
      { id: 1, day: 1n },
      { id: 2, day: 2n },
    ])
  })

  test('when two paths lead to one part then it is read once, and a note says so', async () => {
    await part('twice/a.parquet', 'SELECT 1 AS id')
    await part('twice/day/b.parquet', 'SELECT 2 AS id')
    await symlink('a.parquet', join(folder, 'twice/Latest.parquet'))
    await symlink('day', join(folder, 'twice/current'))
    for (const path of ['twice', 'twice/**/*.parquet']) assert.deepEqual(await ids(path), [1, 2], path)
    const facts = await factsOf('twice')
    assert.match(facts.notes.join(), /Latest\.parquet, and 1 more links: not read again, as it leads to .*a\.parquet/)
    assert.deepEqual(facts.warnings, [])
  })

  test('when a part is a copy of another then a warning names both', async () => {
    await part('copied/a.parquet', 'SELECT 1 AS id')
    await part('copied/b.parquet', 'SELECT 2 AS id')
    await copyFile(join(folder, 'copied/b.parquet'), join(folder, 'copied/b (1).parquet'))
    const { warnings } = await factsOf('copied')
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['files-identical'],
    )
    assert.match(warnings[0].what, /b\.parquet is a copy of .*b \(1\)\.parquet: its rows count twice/)
  })

  test('when files of a folder have other names then a note says that they are not read', async () => {
    await part('others/a.parquet', 'SELECT 1 AS id')
    for (const name of ['b.parq', 'part-2', '_SUCCESS', 'a.parquet.crc', '.hidden']) {
      await writeFile(join(folder, 'others', name), 'x')
    }
    const { notes } = await factsOf('others')
    assert.match(notes.join(), /others: 2 files are not read .*: b\.parq, part-2$/)
  })

  test('when a folder of parts lies beside a file of its name then a warning names it', async () => {
    await part('beside/clicks.parquet', 'SELECT 1 AS id')
    await mkdir(join(folder, 'beside/clicks'))
    assert.deepEqual((await factsOf('beside/clicks.parquet')).warnings, [])
    await part('beside/clicks/a.parquet', 'SELECT 2 AS id')
    const { warnings } = await factsOf('beside/clicks.parquet')
    assert.equal(warnings[0].id, 'folder-ignored')
    assert.match(warnings[0].what, /beside\/clicks has Parquet files too/)
  })

  test('when a part is a pipe then it is refused at once', async () => {
    await part('pipes/a.parquet', 'SELECT 1 AS id')
    execFileSync('mkfifo', [join(folder, 'pipes/b.parquet')])
    for (const path of ['pipes', 'pipes/b.parquet']) {
      const message = /pipes\/b\.parquet: this is a pipe; expected a Parquet file/
      await assert.rejects(factsOf(path), { id: 'table-unreadable', message })
    }
  })

  test('when a folder has no Parquet file then the error names some of its files', async () => {
    await mkdir(join(folder, 'hive'))
    await writeFile(join(folder, 'hive/000000_0'), 'x')
    await assert.rejects(openTable(db, join(folder, 'hive'), {}), {
      id: 'table-missing',
      message: /hive: no such Parquet file; the folder has other files, such as 000000_0; expected files \*\.parquet/,
    })
  })

  test('when a file has signs of a pattern in its name then it alone is read', async () => {
    await part('odd/data[1].parquet', 'SELECT 1 AS id')
    await part('odd/data1.parquet', 'SELECT 2 AS id')
    assert.deepEqual(await ids('odd/data[1].parquet'), [1])
  })

  test('when a part has no rows, and columns of nulls of any type, then the others decide the types', async () => {
    await part('empty/a.parquet', 'SELECT 1::INTEGER AS id, 1::INTEGER AS t, 1::INTEGER AS ts LIMIT 0')
    await part('empty/b.parquet', "SELECT 1::BIGINT AS id, 'x' AS t, TIMESTAMP '2024-01-01' AS ts")
    const rules = { id: { type: 'id' }, t: { type: 'text' }, ts: { type: 'time' } } as const
    assert.equal((await openTable(db, join(folder, 'empty'), rules)).rows, 1)
  })
})

const names = ['filename', 'file_row_number', 'File_Index']

describe('Columns with the names that DuckDB gives to files and rows', () => {
  const own = "'p.jpg' AS filename, 0 AS file_row_number, 'i' AS File_Index"
  const query = (from: number, label: string) =>
    `SELECT i AS id, ${label} AS label, ${own} FROM range(${from}, ${from + 3}) r(i)`

  test('when a column has a name that mim uses in its queries then it is refused, even if nobody reads it', async () => {
    for (const [i, name] of ['mim: time', 'mim: part', 'MIM: file'].entries()) {
      await part(`reserved${i}/a.parquet`, `SELECT 1 AS id, 5 AS "${name}"`)
      await assert.rejects(factsOf(`reserved${i}`), { id: 'column-reserved', message: new RegExp(`column '${name}'`) })
    }
  })

  test('when a value is bad then the error names the true file and row', async () => {
    await part('named/a.parquet', query(0, '1'))
    await part('named/b.parquet', query(3, 'i - 3'))
    const path = join(folder, 'named')
    await assert.rejects(openTable(db, path, { label: { type: 'label' } }), {
      id: 'label-value',
      message: new RegExp(`^${path}/b.parquet: column 'label', row 3: 2;`),
    })
  })

  test('when rows are placed then files and rows are counted in order, and the columns keep their values', async () => {
    const { placed, columns } = await openTable(db, join(folder, 'named'), {})
    for (const name of names) assert.ok(columns.has(name), name)
    const rows = await db.rows(`SELECT parse_filename(${fileColumn}) AS file, CAST(${fileNumberColumn} AS INTEGER) AS n,
      CAST(${fileRowColumn} AS INTEGER) AS r, id, filename, file_row_number, File_Index FROM ${placed} WHERE id IN (2, 3)`)
    const own = { filename: 'p.jpg', file_row_number: 0, File_Index: 'i' }
    assert.deepEqual(rows, [
      { file: 'a.parquet', n: 0, r: 2, id: 2n, ...own },
      { file: 'b.parquet', n: 1, r: 0, id: 3n, ...own },
    ])
  })

  test('when there are hive partitions too then their keys are read', async () => {
    await part('both/day=2024-01-01/a.parquet', query(0, '1'))
    await part('both/day=2024-01-02/a.parquet', query(3, '0'))
    const { placed } = await openTable(db, join(folder, 'both'), { label: { type: 'label' } })
    assert.deepEqual(
      await db.rows(`SELECT id, CAST(day AS VARCHAR) AS day, filename FROM ${placed} WHERE id IN (0, 5)`),
      [
        { id: 0n, day: '2024-01-01', filename: 'p.jpg' },
        { id: 5n, day: '2024-01-02', filename: 'p.jpg' },
      ],
    )
  })
})

describe('Hive keys that are columns of the files too', () => {
  test('when both are equal then the column is read, in its own type', async () => {
    await part('equal/user=007/a.parquet', "SELECT 1 AS id, '007' AS user")
    await part('equal/user=a b/a.parquet', "SELECT 2 AS id, 'a b' AS user")
    const { source } = await openTable(db, join(folder, 'equal'), { user: { type: 'id' } })
    assert.deepEqual(await db.rows(`SELECT user AS u FROM ${source} ORDER BY id`), [{ u: '007' }, { u: 'a b' }])
  })

  test('when another key is in the folders alone then it is read beside them', async () => {
    await part('more/day=1/hour=2/a.parquet', 'SELECT 1 AS id, 1 AS day')
    const { source } = await openTable(db, join(folder, 'more'), {})
    assert.deepEqual(await db.rows(`SELECT day, hour FROM ${source}`), [{ day: 1, hour: 2n }])
  })

  test('when they differ then the file is refused with both values', async () => {
    await part('differ/day=2024-01-01/a.parquet', "SELECT 1 AS id, DATE '2024-01-01' AS day")
    await part('differ/day=2024-01-02/a.parquet', "SELECT 2 AS id, DATE '2024-01-05' AS day")
    await assert.rejects(openTable(db, join(folder, 'differ'), {}), {
      id: 'hive-key',
      message: /day=2024-01-02\/a.parquet: column 'day' is 2024-01-05 in a folder named day=2024-01-02; expected/,
    })
  })

  test('when the key is above the table then the column of the files counts', async () => {
    await part('version=2/table/a.parquet', 'SELECT 1 AS id, 3 AS version')
    const { source } = await openTable(db, join(folder, 'version=2/table'), {})
    assert.deepEqual(await db.rows(`SELECT version FROM ${source}`), [{ version: 3 }])
  })
})

describe('Names of columns', () => {
  test('when a name differs in case alone then the column is read, and the notes say so', async () => {
    const path = await write('case', "SELECT 1 AS Item_ID, 'x' AS Title")
    const facts = new DataFacts()
    const rules = { item_id: { type: 'id' }, title: { type: 'title', optional: true } } as const
    const { columns, used } = await openTable(db, path, rules, facts)
    assert.deepEqual([columns.has('title'), columns.get('TITLE'), used], [true, 'VARCHAR', ['Item_ID', 'Title']])
    assert.deepEqual(facts.notes, [
      `${path}: column 'Item_ID' is read as 'item_id'`,
      `${path}: column 'Title' is read as 'title'`,
    ])
  })

  test('when two columns have the same name but for case then the one that is needed is refused, others are not', async () => {
    const path = join(folder, 'twice.parquet')
    await write('once', "SELECT 1 AS id, 'x' AS title, 'y' AS xitle, 2 AS n_1")
    const bytes = await readFile(join(folder, 'once.parquet'))
    // DuckDB itself does not write such a file.
    for (let at = bytes.indexOf('xitle'); at >= 0; at = bytes.indexOf('xitle', at)) bytes.write('Title', at)
    await writeFile(path, bytes)
    assert.equal((await openTable(db, path, { id: { type: 'id' }, n_1: { type: 'number' } })).rows, 1)
    await assert.rejects(openTable(db, path, { title: { type: 'title', optional: true } }), {
      id: 'column-twice',
      message: /there are several columns 'title'; names that differ in case are the same/,
    })
  })

  test('when a column is there twice, and others have the names that DuckDB makes of it, then it is refused', async () => {
    const path = join(folder, 'thrice.parquet')
    await write(
      'once-more',
      "SELECT {'label': 0, 'labelx': 1} AS inner, 1 AS label, 2 AS xabel, 3 AS label_1, 4 AS label_2",
    )
    const bytes = await readFile(join(folder, 'once-more.parquet'))
    for (let at = bytes.indexOf('xabel'); at >= 0; at = bytes.indexOf('xabel', at)) bytes.write('label', at)
    await writeFile(path, bytes)
    await assert.rejects(openTable(db, path, { label: { type: 'label' } }), { id: 'column-twice', message: /'label'/ })
    assert.equal((await openTable(db, path, { label_2: { type: 'number' } })).rows, 1)
    // Nested fields of the same name are none.
    const whole = await openTable(db, join(folder, 'once-more.parquet'), { label: { type: 'label' } })
    assert.equal(whole.repeated.size, 0)
  })

  test('when a column is missing then the nearest name is suggested', async () => {
    const path = await write('near', "SELECT 1 AS item_id, 'x' AS image")
    await assert.rejects(openTable(db, path, { imgae: { type: 'image' } }), {
      id: 'column-missing',
      message: /column 'imgae' is missing; did you mean 'image'\? the table has item_id, image$/,
    })
  })

  test('when a column of nulls has another type then it counts as missing, and the notes say so', async () => {
    const path = await write('null', 'SELECT 1 AS id, NULL::INTEGER AS image')
    const facts = new DataFacts()
    const { columns } = await openTable(db, path, { image: { type: 'image', optional: true } }, facts)
    assert.equal(columns.has('image'), false)
    assert.deepEqual(facts.notes, [`${path}: column 'image' is always null: it counts as missing`])
  })
})

test('when a text is not UTF-8 then the error names file, column, row and value', async () => {
  const query = "SELECT i AS id, 'fine' AS name, 'title-' || i AS title FROM range(5000) r(i)"
  const path = join(folder, 'latin.parquet')
  await db.run(`COPY (${query}) TO '${path}' (FORMAT parquet, COMPRESSION uncompressed)`)
  const bytes = await readFile(path)
  bytes[bytes.indexOf('title-4321') + 2] = 0xe9
  await writeFile(path, bytes)
  const { source } = await openTable(db, path, { title: { type: 'title' } })
  await assert.rejects(db.columns(`SELECT title FROM ${source}`, { title: 'string' }), {
    id: 'table-unreadable',
    message: `${path}: column 'title', row 4322: 'ti\\xE9le-4321' is not UTF-8; expected texts in UTF-8; decode the column, e.g. from Latin-1, when writing the file`,
  })
})
