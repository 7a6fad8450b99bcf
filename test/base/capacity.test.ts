import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { freeMemory, memoryError, requireDisk, requireMemory, sizeOf } from '../../src/base/capacity.js'
import { expectedError } from '../../src/base/places.js'

const gigabyte = 1e9

/** A folder with files of Linux. */
function system(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'system-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

const meminfo =
  'MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\nSwapFree:        1000000 kB\n'
const machine = { 'proc/meminfo': meminfo }

describe('Free memory', () => {
  const cases: [name: string, files: Record<string, string>, bytes: number][] = [
    ['the machine alone limits it, copies of files count as free', machine, 9_000_000 * 1024],
    [
      'a control group of version 2 limits it',
      {
        ...machine,
        'proc/self/cgroup': '0::/a/b\n',
        'sys/fs/cgroup/a/memory.max': '5000000000\n',
        'sys/fs/cgroup/a/memory.current': '4000000000\n',
        'sys/fs/cgroup/a/memory.stat': 'anon 3000000000\ninactive_file 400000000\nactive_file 100000000\n',
        'sys/fs/cgroup/a/b/memory.max': 'max\n',
      },
      1_500_000_000,
    ],
    [
      'a container sees its group as the root',
      {
        ...machine,
        'proc/self/cgroup': '0::/../../kubepods/pod1\n',
        'sys/fs/cgroup/memory.max': '3000000000\n',
        'sys/fs/cgroup/memory.current': '1000000000\n',
      },
      2_000_000_000,
    ],
    [
      'a control group of version 1 limits it',
      {
        ...machine,
        'proc/self/cgroup': '5:devices:/\n4:cpu,memory:/docker/1\n0::/\n',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        'sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes': '2000000000\n',
        'sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes': '1500000000\n',
        'sys/fs/cgroup/memory/docker/1/memory.stat': 'total_inactive_file 300000000\n',
      },
      800_000_000,
    ],
    [
      'its address space is limited',
      {
        ...machine,
        'proc/self/limits':
          'Limit  Soft Limit  Hard Limit  Units\nMax address space         3000000000      unlimited            bytes\n',
        'proc/self/status': 'Name:\tnode\nVmSize:\t 1000000 kB\n',
      },
      3_000_000_000 - 1_024_000_000,
    ],
    ['the system is not Linux', {}, 4 * gigabyte],
    [
      'a group has more than its limit',
      { ...machine, 'sys/fs/cgroup/memory.max': '1000', 'sys/fs/cgroup/memory.current': '2000' },
      0,
    ],
  ]
  for (const [name, files, bytes] of cases) {
    test(`when ${name} then it is found`, () => {
      assert.equal(freeMemory({ system: system(files), total: 4 * gigabyte }), bytes)
    })
  }

  test('when this machine is asked then it has some', () => assert.ok(freeMemory() > 1e7))

  test('when more is needed than there is then the error has both sizes and the remedy', () => {
    assert.throws(() => requireMemory(1e18, 'a table of 9 rows', 'use less'), {
      id: 'memory',
      message: /^a table of 9 rows: needs 1000 PB, \S+ [MGT]B are free; use less$/,
    })
    requireMemory(1e6, 'a little', 'none')
  })

  test('when the disk has less than needed then the error names it', () => {
    const folder = join(tmpdir(), 'not', 'there')
    assert.throws(() => requireDisk(1e18, folder, 'vectors', 'use another disk'), {
      id: 'disk',
      message: /^vectors: needs 1000 PB, .* are free on the disk of .*not\/there; use another disk$/,
    })
    requireDisk(1e8, folder, 'a little', 'none')
  })

  test('when sizes are written then they have two digits and a unit', () => {
    assert.deepEqual([6.14e9, 2e12, 12.4e6, 6.1e6].map(sizeOf), ['6.1 GB', '2.0 TB', '12 MB', '6.1 MB'])
  })
})

describe('Memory that ran out', () => {
  const thrown = (make: () => unknown): unknown => {
    try {
      return make()
    } catch (error) {
      return error
    }
  }
  const cases: [string, unknown][] = [
    ['an array is too long', thrown(() => new Float64Array(1e15))],
    ['a list is too long', thrown(() => 'x'.repeat(2 ** 29).repeat(9))],
    ['TensorFlow has none', new Error('OOM when allocating tensor with shape[1000000,1000000] and type float')],
    ['ONNX Runtime has none', new Error('Failed to allocate memory for requested buffer of size 40000000000')],
    ['a library of C++ has none', new Error('std::bad_alloc')],
    ['WebAssembly has none', new RangeError('WebAssembly.Memory(): could not allocate memory')],
    ['DuckDB has none', new Error('Out of Memory Error: failed to allocate data of size 16.0 GiB')],
  ]
  for (const [name, error] of cases) {
    test(`when ${name} then it is one line for the user`, () => {
      const found = expectedError(error)
      assert.match(String(found?.message), /^memory ran out \(.*\); .* are free; use less data/)
    })
  }

  test('when a length is no size then it is a mistake of ours', () => {
    const negative = thrown(() => new Float32Array(-1))
    assert.equal(memoryError(negative), undefined)
    assert.equal(memoryError(new Error('the loss is undefined')), undefined)
  })
})
