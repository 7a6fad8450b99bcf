import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DataFacts } from '../../../src/data/facts.js'
import { openTable } from '../../../src/data/tables/contract.js'
import { openTime, type TimeOptions } from '../../../src/data/times/column.js'
import { openTables } from '../tables.js'

const { db, folder, write, rows } = await openTables()

const second = 1709251200 // 2024-03-01
const auto: TimeOptions = { unit: 'auto', zone: null }

/** The time column of a table, its times in microseconds, and warnings. */
async function timesOf(path: string, options = auto) {
  const facts = new DataFacts()
  const table = await openTable(db, path, { ts: { type: 'time' } })
  const time = await openTime(db, table, 'ts', options, facts)
  const read = await db.rows<{ us: bigint }>(`SELECT ${time.sql} AS us FROM ${table.source}`)
  return { ...time, times: read.map(({ us }) => us), warnings: facts.warnings }
}
const written = (...values: string[]) => rows('t', 'ts', ...values.map((value) => `(${value})`))

describe('Units of times', () => {
  const cases: [string, string, string | undefined][] = [
    ['seconds', `${second}`, 'seconds since 1970 (inferred)'],
    ['seconds of 32 bits', `${second}::INTEGER`, 'seconds since 1970 (inferred)'],
    ['milliseconds', `${second}000`, 'milliseconds since 1970 (inferred)'],
    ['microseconds', `${second}000000`, 'microseconds since 1970 (inferred)'],
    ['nanoseconds', `${second}000000000`, 'nanoseconds since 1970 (inferred)'],
    ['nanoseconds of uint64', `${second}000000000::UBIGINT`, 'nanoseconds since 1970 (inferred)'],
    ['decimals', `${second}::DECIMAL(38, 0)`, 'seconds since 1970 (inferred)'],
    ['floats', `${second}::DOUBLE`, 'fractional seconds since 1970 (inferred)'],
    ['decimal fractions', `${second}::DECIMAL(20, 6)`, 'fractional seconds since 1970 (inferred)'],
    ['dates', "DATE '2024-03-01'", 'dates without a time zone, read as UTC'],
    ['timestamps', "TIMESTAMP '2024-03-01'", 'without a time zone, read as UTC'],
    ['timestamps of seconds', "TIMESTAMP_S '2024-03-01'", 'without a time zone, read as UTC'],
    ['timestamps of nanoseconds', "TIMESTAMP_NS '2024-03-01'", 'without a time zone, read as UTC'],
    ['timestamps with a zone', "TIMESTAMPTZ '2024-03-01 08:00:00+08'", undefined],
    ['texts', "'2024-03-01'", 'text without a time zone, read as UTC'],
    ['texts with a zone', "'2024-03-01T08:00:00+08:00'", 'text'],
    ['texts in UTC', "'2024-03-01T00:00:00Z'", 'text'],
  ]
  for (const [name, value, stored] of cases) {
    test(`when times are ${name} then their moment is known`, async () => {
      const time = await timesOf(await written(value, value))
      assert.deepEqual(time.times, [1_709_251_200_000_000n, 1_709_251_200_000_000n])
      assert.deepEqual([time.from, time.to, time.stored], ['2024-03-01T00:00:00Z', '2024-03-01T00:00:00Z', stored])
      assert.deepEqual(time.warnings, [])
    })
  }

  test('when floats have a fraction then it is kept', async () => {
    const { times } = await timesOf(await written(`${second}.25::DOUBLE`, `${second + 1}.000001::DOUBLE`))
    assert.deepEqual(times, [1_709_251_200_250_000n, 1_709_251_201_000_001n])
  })

  const refused: [string, string[], string, RegExp][] = [
    ['are small', ['0', '100'], 'time-unit', /row 1: .* 0 is the year 1970 in s, ms, us, ns; .*data\.timeUnit/],
    ['are days', ['19783', '19784'], 'time-unit', /row 1: .*19783 is the year 1970.*data\.timeUnit/],
    ['are calendar days', ['20240301'], 'time-unit', /20240301.*YYYYMMDD/],
    ['have a zero', [`${second}`, '0'], 'time-unit', /row 2: .* 0 is .*correct the row/],
    ['have -1', ['-1', `${second}`], 'time-unit', /row 1: .*-1 is the year 1969/],
    ['have the integer of a missing time', [`${second}`, '(-9223372036854775808)::BIGINT'], 'time-unit', /row 2/],
    ['have two units', [`${second}`, `${second}000`], 'time-unit', /row 2: .*milliseconds, .*row 1\) is in seconds/],
    ['are the end of time', [`${second}`, '253402300799'], 'time-unit', /row 2: .*253402300799 is the year 9999 in s/],
    ['are timestamps read in nanoseconds', ["TIMESTAMP '1970-01-01 00:00:01.7'"], 'time-range', /row 1.*1970/],
    ['have the year 1700', ["TIMESTAMP '2024-03-01'", "TIMESTAMP '1700-01-01'"], 'time-range', /row 2.*1700-01-01/],
    ['have the year 2300', ["TIMESTAMPTZ '2300-01-01 00:00:00Z'"], 'time-range', /row 1.*2300-01-01/],
    ['are dates of the year 9999', ["DATE '9999-12-31'"], 'time-range', /row 1.*9999-12-31/],
  ]
  for (const [name, values, id, message] of refused) {
    test(`when times ${name} then they are refused by row, unless a unit is given`, async () => {
      const path = await written(...values)
      await assert.rejects(timesOf(path), { id, message })
      if (values.some((value) => value.includes('-922'))) return
      const { warnings } = await timesOf(path, { ...auto, unit: 'us' })
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['time-range'],
      )
    })
  }
})

describe('Values of times', () => {
  const cases: [string, string[], TimeOptions['unit'], RegExp][] = [
    ['null', [`${second}`, 'NULL'], 'auto', /row 2: null; expected a time/],
    ['a null timestamp', ["TIMESTAMP '2024-03-01'", 'NULL'], 'auto', /row 2: null/],
    ['all null', ['NULL::INTEGER'], 'auto', /row 1: null/],
    ['not a number', [`${second}::DOUBLE`, "'NaN'::DOUBLE"], 'auto', /row 2: nan/],
    ['infinite', [`${second}::DOUBLE`, "'-inf'::DOUBLE"], 'auto', /row 2: -inf/],
    ['an infinite timestamp', ["TIMESTAMP 'infinity'"], 'us', /row 1: infinity/],
    ['an infinite date', ["DATE '2024-03-01'", "DATE '-infinity'"], 'auto', /row 2: -infinity/],
    ['seconds beyond 64 bits', [`${second}`, '9300000000000'], 's', /row 2: 9300000000000/],
    ['milliseconds read as seconds of 64 bits', [`${second}000000`], 's', /row 1/],
    ['a timestamp that is too far for differences', ["TIMESTAMP '200000-01-01'"], 'us', /row 1: 200000-01-01/],
    ['nothing at all in nanoseconds', ['(-9223372036854775808)::BIGINT'], 'us', /row 1: -9223372036854775808/],
    ['the greatest uint64', ['18446744073709551615::UBIGINT'], 'us', /row 1: 18446744073709551615/],
    ['the greatest float', ['1e308::DOUBLE'], 'ns', /row 1: 1e\+?308/],
    ['a text that is no time', ["'2024-03-01 10:00:00'", "'noon'"], 'auto', /row 2: noon; expected .*ISO 8601/],
    ['a text with a month too many', ["'2024-13-01'"], 'auto', /row 1: 2024-13-01/],
    ['a text of a number', [`'${second}'`], 'auto', /row 1: 1709251200/],
    ['a text with the day first', ["'01/03/2024'"], 'auto', /row 1/],
    ['an empty text', ["'2024-03-01'", "''"], 'auto', /row 2: ; /],
  ]
  for (const [name, values, unit, message] of cases) {
    test(`when a time is ${name} then its row is named`, async () => {
      const path = await written(...values)
      await assert.rejects(timesOf(path, { ...auto, unit }), (error: Error & { id: string }) => {
        assert.equal(error.id, 'time-value')
        assert.ok(error.message.startsWith(`${path}: column 'ts', row `), error.message)
        assert.match(error.message, message)
        return true
      })
    })
  }

  test('when a table has no rows then it has no span', async () => {
    const { from, times } = await timesOf(await write('none', 'SELECT 1::BIGINT AS ts WHERE false'))
    assert.deepEqual([from, times], [undefined, []])
  })

  test('when only some texts have a zone then the run is refused', async () => {
    const path = await written("'2024-03-01 10:00:00+08'", "'2024-03-01 10:00:00'")
    await assert.rejects(timesOf(path), { id: 'time-zone', message: /row 2: 2024-03-01 10:00:00 has no time zone/ })
  })

  test('when a zone is given then times without one are read in it', async () => {
    const zone = { ...auto, zone: 'Asia/Shanghai' }
    const moment = Date.UTC(2024, 1, 29, 16) * 1000
    for (const value of ["TIMESTAMP '2024-03-01'", "TIMESTAMP_NS '2024-03-01'", "DATE '2024-03-01'", "'2024-03-01'"]) {
      const { times, from, stored } = await timesOf(await written(value), zone)
      assert.deepEqual([times, from], [[BigInt(moment)], '2024-02-29T16:00:00Z'], value)
      assert.match(stored!, /read as Asia\/Shanghai/)
    }
    for (const value of ["TIMESTAMPTZ '2024-03-01 00:00:00Z'", `${second}`, "'2024-03-01T00:00:00Z'"])
      assert.deepEqual((await timesOf(await written(value), zone)).times, [1_709_251_200_000_000n], value)
  })
})

describe('Times of parts', () => {
  const moment = "TIMESTAMP '2024-03-01'"
  let made = 0
  const parts = async (...values: string[]) => {
    // A new folder each time: DuckDB may remember a file that changes within a second.
    const name = `parts-${made++}`
    await mkdir(join(folder, name))
    for (const [i, value] of values.entries()) await write(`${name}/${i}`, `SELECT ${value} AS ts, {ts: 1} AS other`)
    return join(folder, name)
  }

  const mixed: [string, string, string][] = [
    ['numbers and timestamps', `${second}`, moment],
    ['timestamps with and without a zone', "TIMESTAMPTZ '2024-03-01 00:00:00Z'", moment],
    ['numbers and texts', `${second}`, "'2024-03-01'"],
    ['numbers and dates', `${second}`, "DATE '2024-03-01'"],
    ['dates and timestamps', "DATE '2024-03-01'", moment],
  ]
  for (const [name, a, b] of mixed) {
    test(`when parts are ${name} then a file is named`, async () => {
      const path = await parts(a, b)
      await assert.rejects(timesOf(path), (error: Error & { id: string }) => {
        assert.equal(error.id, 'time-parts')
        assert.ok(error.message.startsWith(join(path, '1.parquet')), error.message)
        return true
      })
    })
  }

  test('when parts are integers and floats, or timestamps of different units, then all are read', async () => {
    const moments = [1_709_251_200_000_000n, 1_709_251_200_000_000n]
    for (const [a, b] of [
      [`${second}`, `${second}::DOUBLE`],
      [`${second}::INTEGER`, `${second}::UBIGINT`],
      [moment, "TIMESTAMP_NS '2024-03-01'"],
      [moment, "TIMESTAMP_MS '2024-03-01'"],
    ])
      assert.deepEqual((await timesOf(await parts(a, b))).times, moments)
  })

  test('when parts have different units then both rows are named', async () => {
    const path = await parts(`${second}`, `${second}000`)
    const message =
      /1\.parquet: column 'ts', row 1: .*milliseconds, but .*0\.parquet: column 'ts', row 1\) is in seconds/
    await assert.rejects(timesOf(path), { id: 'time-unit', message })
  })

  test('when a part is beyond the nanoseconds of another then its row is named', async () => {
    const path = await parts("TIMESTAMP_NS '2024-03-01'", moment, "TIMESTAMP '2300-01-01'")
    await assert.rejects(timesOf(path), { id: 'time-value', message: /2\.parquet: column 'ts', row 1: 2300-01-01/ })
  })

  test('when a folder is partitioned by days then they are the times', async () => {
    const path = join(folder, 'hive')
    await db.run(`COPY (SELECT DATE '2024-03-01' + i::INTEGER AS ts, i AS x FROM range(2) r(i))
      TO '${path}' (FORMAT parquet, PARTITION_BY (ts))`)
    const { from, to, step } = await timesOf(path)
    assert.deepEqual([from, to, step], ['2024-03-01T00:00:00Z', '2024-03-02T00:00:00Z', 86_400e6])
  })
})

describe('Times that are read as other moments', () => {
  const days = (format: string, from: string) =>
    write(
      'digits',
      `SELECT CAST(strftime(${from} + INTERVAL 97 MINUTE * i, '${format}') AS BIGINT) AS ts FROM range(200) r(i)`,
    )
  for (const [name, format, from] of [
    ['YYYYMMDDHH', '%Y%m%d%H', "TIMESTAMP '2024-03-01'"],
    ['YYMMDDHHMM', '%y%m%d%H%M', "TIMESTAMP '2024-03-01'"],
    ['YYMMDDHHMM of 2015, in the past as seconds', '%y%m%d%H%M', "TIMESTAMP '2015-03-01'"],
    ['YYYYMMDDHHMMSS', '%Y%m%d%H%M%S', "TIMESTAMP '2024-03-01'"],
  ]) {
    test(`when times are ${name} then they are refused as digits of dates; a unit leaves a warning`, async () => {
      const path = await days(format, from)
      await assert.rejects(timesOf(path), /in digits|date written as digits/)
      const { warnings } = await timesOf(path, { unit: format.endsWith('%S') ? 'ms' : 's', zone: null })
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['time-range'],
      )
    })
  }

  test('when seconds of a busy minute look like dates then they are times since 1970', async () => {
    const path = await write('minute', `SELECT ${second} + i % 60 AS ts FROM range(2000) r(i)`)
    assert.equal((await timesOf(path)).from, '2024-03-01T00:00:00Z')
  })

  test('when times are years from now then they are refused; a unit leaves a warning', async () => {
    const future = await written("TIMESTAMP '2024-03-01'", 'CAST(now() AS TIMESTAMP) + INTERVAL 5 YEAR')
    await assert.rejects(timesOf(future), { id: 'time-range', message: /in the future/ })
    assert.equal((await timesOf(future, { unit: 'us', zone: null })).warnings[0].id, 'time-range')
    const soon = await written('CAST(now() AS TIMESTAMP) + INTERVAL 30 DAY')
    assert.deepEqual((await timesOf(soon)).warnings, [])
  })
})
