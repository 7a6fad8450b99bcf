import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { planClicks } from '../../../src/data/clicks/plan.js'
import { readClicks } from '../../../src/data/clicks/read.js'
import { type ClickSources, openClicks } from '../../../src/data/clicks/tables.js'
import { DataFacts } from '../../../src/data/facts.js'
import { openTables } from '../tables.js'

const { db, folder, write, rows } = await openTables()

const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }

/** Histories by impression in the order of time, and the ids of the warnings. */
async function read(options: Partial<ClickSources> = {}) {
  const facts = new DataFacts()
  const sources = { impressions: '', behaviors: '', columns, timeUnit: 'auto' as const, timeZone: null, ...options }
  const tables = await openClicks(db, sources, facts)
  const features = { user: true, items: [], context: [], history: [] }
  const plan = planClicks(
    { data: sources, history: { actions: ['click'], length: 1000, padding: null }, features },
    tables,
  )
  const { impressions, numbers } = await readClicks(db, plan)
  const { id } = await db.columns(
    `SELECT CAST(item_id AS VARCHAR) AS id FROM ${numbers.items.name} ORDER BY ${numbers.items.number}`,
    { id: 'string' },
  )
  const { behaviorItem, historyStart, historyEnd, item } = impressions
  const [starts, ends] = [historyStart.read(), historyEnd.read()]
  const histories = Array.from(item.read(), (shown, row) => {
    const seen = Array.from(behaviorItem.read(starts[row], ends[row]), (behavior) => id[behavior])
    return `${id[shown]}: ${seen.join(' ')}`.trim()
  })
  return { histories, warnings: facts.warnings.map((warning) => warning.id), notes: facts.notes, times: tables.times }
}

const shownAt = (name: string, ...times: string[]) =>
  rows(name, 'user_id, item_id, label, ts', ...times.map((time, i) => `('a', ${i}, ${i % 2}, ${time})`))
const clickedAt = (...times: string[]) =>
  rows('b', 'user_id, item_id, action, ts', ...times.map((time, i) => `('a', ${10 + i}, 'click', ${time})`))

const at = (time: string) => `TIMESTAMP '${time}'`
const [first, second, third] = ['2024-03-01 10:00:00', '2024-03-01 11:00:00', '2024-03-02 10:30:00']
const seconds = (time: string) => `epoch(${at(time)})::BIGINT`

describe('Times of impressions and behaviors', () => {
  test('when tables have different units, and timestamps, then histories are those of equal units', async () => {
    const encodings: ((time: string) => string)[] = [
      at,
      seconds,
      (time) => `epoch_ms(${at(time)})`,
      (time) => `epoch_ns(${at(time)})`,
      (time) => `epoch(${at(time)})::DOUBLE`,
      (time) => `'${time}'`,
    ]
    for (const ofImpressions of encodings) {
      for (const ofBehaviors of encodings) {
        const impressions = await shownAt('i', ...[first, second, third].map(ofImpressions))
        const behaviors = await clickedAt(...[first, second, third].map(ofBehaviors))
        const { histories } = await read({ impressions, behaviors })
        assert.deepEqual(histories, ['0:', '1: 10', '2: 10 11'], `${ofImpressions} ${ofBehaviors}`)
      }
    }
  })

  test('when units are given by table then each is read in its own', async () => {
    const [impressions, behaviors] = [await shownAt('i', '100', '101'), await clickedAt('100000', '100999')]
    const timeUnit = { impressions: 's', behaviors: 'ms' } as const
    assert.deepEqual((await read({ impressions, behaviors, timeUnit })).histories, ['0:', '1: 10 11'])
    await assert.rejects(read({ impressions, behaviors }), { id: 'time-unit' })
  })

  test('when one table has a time zone and the other has none then data.timeZone must say which', async () => {
    const zoned = (time: string) => `TIMESTAMPTZ '${time}+00'`
    const impressions = await shownAt('i', zoned(first), zoned(second))
    // The same moments, as a clock in Shanghai shows them.
    for (const local of [at, (time: string) => `TIMESTAMP_NS '${time}'`, (time: string) => `'${time}'`]) {
      const behaviors = await clickedAt(local('2024-03-01 18:00:00'), local('2024-03-01 19:00:00'))
      await assert.rejects(read({ impressions, behaviors }), { id: 'time-zone', message: /data\.timeZone/ })
      const { histories, warnings } = await read({ impressions, behaviors, timeZone: 'Asia/Shanghai' })
      assert.deepEqual([histories, warnings], [['0:', '1: 10'], []])
    }
    const dates = await clickedAt("DATE '2024-03-01'", "DATE '2024-02-28'")
    await assert.rejects(read({ impressions, behaviors: dates }), { id: 'time-zone' })
  })

  test('when numbers meet timestamps without a zone then these are read as UTC with a warning', async () => {
    const [impressions, behaviors] = [await shownAt('i', seconds(first), seconds(second)), await clickedAt(at(first))]
    assert.deepEqual((await read({ impressions, behaviors })).warnings, ['time-zone'])
    const { histories, warnings } = await read({ impressions, behaviors, timeZone: 'UTC' })
    assert.deepEqual([histories, warnings], [['0:', '1: 10'], []])
  })

  test('when all behaviors follow all impressions, or end decades before, then the run is refused', async () => {
    const impressions = await shownAt('i', at(first), at(second))
    const message = /behaviors are from .* impressions from 2024-03-01T10:00:00Z to 2024-03-01T11.*data\.timeUnit/
    for (const time of [third, second, '1999-01-01 00:00:00']) {
      const behaviors = await clickedAt(at(time))
      await assert.rejects(read({ impressions, behaviors }), { id: 'times-disjoint', message })
    }
    const behaviors = await clickedAt(at(third))
    const scored = await read({ impressions, behaviors, unlabeled: true })
    assert.deepEqual([scored.histories, scored.warnings], [['0:', '1:'], ['times-disjoint']])
    // The same with toy times, of which the units are wrong.
    const toys = { impressions: await shownAt('i', '100', '200'), behaviors: await clickedAt('50', '150') }
    const timeUnit = { impressions: 's', behaviors: 'ns' } as const
    await assert.doesNotReject(read({ ...toys, timeUnit }))
    await assert.rejects(read({ ...toys, timeUnit: { impressions: 'ms', behaviors: 's' } }), { id: 'times-disjoint' })
  })

  test('when behaviors end long before the impressions then a warning says how long', async () => {
    const impressions = await shownAt('i', at(first), at(second))
    for (const [time, warnings] of [
      ['2024-02-01 08:00:00', ['times-apart']],
      ['2024-02-29 23:59:59', []],
    ] as const) {
      const found = await read({ impressions, behaviors: await clickedAt(at(time)) })
      assert.deepEqual([found.warnings, found.histories], [warnings, ['0: 10', '1: 10']])
    }
  })

  test('when parts are tables of different units then each is read in its own', async () => {
    const [train, valid] = [await shownAt('train', seconds(first)), await shownAt('valid', `epoch_ms(${at(second)})`)]
    const impressions = { train, valid, test: await shownAt('test', at(third)) }
    const { histories, times } = await read({ impressions, behaviors: await clickedAt(at(first), at(second)) })
    assert.deepEqual(histories, ['0:', '0: 10', '0: 10 11'])
    assert.deepEqual(
      times?.impressions.map(({ from }) => from),
      ['2024-03-01T10:00:00Z', '2024-03-01T11:00:00Z', '2024-03-02T10:30:00Z'],
    )
    const { from, to, stored } = times!.shown
    assert.deepEqual([from, to], ['2024-03-01T10:00:00Z', '2024-03-02T10:30:00Z'])
    assert.match(stored!, /^seconds since 1970 \(inferred\); milliseconds since .*; without a time zone/)
  })

  test('when the test part is before the training part then the run is refused; when they overlap it warns', async () => {
    const [early, late] = [await shownAt('early', at(first), at(third)), await shownAt('late', at(third))]
    const [middle, behaviors] = [await shownAt('middle', at(second)), await clickedAt(at(first))]
    const swapped = { train: late, valid: late, test: middle }
    await assert.rejects(read({ impressions: swapped, behaviors }), {
      id: 'split-order',
      message: /test is from .*11:00/,
    })
    const mixed = { train: early, valid: late, test: middle }
    assert.deepEqual((await read({ impressions: mixed, behaviors })).warnings, ['split-order'])
    const whole = { train: early, valid: late, test: late }
    assert.deepEqual((await read({ impressions: whole, behaviors })).warnings, [])
  })
})

describe('Rounded times', () => {
  test('when behaviors have dates then none is in the history of an impression of its day', async () => {
    const impressions = await shownAt('i', at(first), at(third))
    const behaviors = await clickedAt("DATE '2024-02-29'", "DATE '2024-03-01'", "DATE '2024-03-02'")
    const { histories, warnings } = await read({ impressions, behaviors })
    assert.deepEqual([histories, warnings], [['0: 10', '1: 10 11'], ['times-rounded']])
  })

  test('when impressions have dates then their histories end before the day', async () => {
    const impressions = await shownAt('i', "DATE '2024-03-01'", "DATE '2024-03-02'")
    const { histories, warnings } = await read({ impressions, behaviors: await clickedAt(at(first), at(third)) })
    assert.deepEqual([histories, warnings], [['0:', '1: 10'], ['times-rounded']])
    const dates = await clickedAt("DATE '2024-03-01'", "DATE '2024-03-02'")
    assert.deepEqual(await read({ impressions, behaviors: dates }).then(({ histories }) => histories), ['0:', '1: 10'])
  })

  test('when clicks are cut to seconds then a click is not in the history of its own impression', async () => {
    const impressions = await shownAt('i', at('2024-03-01 10:00:00.5'), at('2024-03-01 10:00:02'))
    // It happened at 10:00:00.9.
    const behaviors = await clickedAt(seconds(first))
    const { histories, notes, warnings } = await read({ impressions, behaviors })
    assert.deepEqual(histories, ['0:', '1: 10'])
    assert.match(notes.join(), /whole seconds/)
    assert.deepEqual(warnings, ['time-zone'])
  })

  test('when timestamps are all at midnight then they count as dates', async () => {
    const impressions = await shownAt('i', at(first), at('2024-03-09 12:00:00'))
    for (const midnight of ["TIMESTAMP '2024-03-01'", "TIMESTAMPTZ '2024-02-29 16:00:00+00'"]) {
      const behaviors = await write(
        'b',
        `SELECT 'a' AS user_id, 10 + i % 10 AS item_id, 'click' AS action, ${midnight} + INTERVAL (i % 10) DAY AS ts
         FROM range(200) r(i)`,
      )
      const { histories, warnings } = await read({ impressions, behaviors, timeZone: 'Asia/Shanghai' })
      // Of 2024-03-01 10:00 in Shanghai nothing is known; of the ninth all up to the eighth.
      assert.deepEqual([histories[0], histories[1].split(' ').length - 1], ['0:', 160], midnight)
      assert.deepEqual(warnings, ['times-rounded'])
    }
  })

  test('when a small log is all at midnight then it counts as dates', async () => {
    const impressions = await shownAt('i', at(first), at(third))
    const behaviors = await clickedAt(at('2024-02-29'), at('2024-03-01'), at('2024-03-02'))
    const { histories, warnings } = await read({ impressions, behaviors })
    assert.deepEqual([histories, warnings], [['0: 10', '1: 10 11'], ['times-rounded']])
  })

  test('when only one file of the behaviors is cut to days then its days count from their end', async () => {
    await mkdir(join(folder, 'mixed'))
    const log = (from: string) =>
      `SELECT 'a' AS user_id, 10 + i % 5 AS item_id, 'click' AS action, ${from} AS ts FROM range(150) r(i)`
    await write('mixed/a', log(`${at('2024-03-01 09:00:00')} + INTERVAL 7 SECOND * i`))
    await write('mixed/b', log(`${at('2024-03-01')} + INTERVAL (i % 3) DAY`))
    const impressions = await shownAt('i', at('2024-03-01 10:00:00'), at('2024-03-02 10:00:00'))
    const { histories, warnings } = await read({ impressions, behaviors: join(folder, 'mixed') })
    const lengths = histories.map((history) => history.split(' ').length - 1)
    assert.deepEqual([lengths, warnings], [[150, 200], ['times-rounded']])
  })
})
