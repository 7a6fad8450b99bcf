/** Faults of the environment: what the machine refuses to a command, and what must come of it. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../fixtures.js'
import { commands } from './badInput.js'
import type { Place } from './prepared.js'

/** A shell command that runs `"$@"`, the command of `mim`, in a worse environment. */
export interface Fault {
  name: string
  /** Shell code that ends in `"$@"`. */
  shell: string
  /** Of the command; default: those that `usual` has. */
  commands?: readonly (keyof typeof environmentCommands)[]
  env?: Record<string, string | undefined>
  cwd?: string
  /** Prepares the place. */
  prepare?(place: Place): void
  /** Ends what `prepare` began. */
  restore?(place: Place): void
  /** What a refusal says; `never`: the command must work. Without it both are right. */
  refused?: RegExp | 'never'
  skip?: string | false
}

/** Commands of all kinds, on sound inputs. */
export const environmentCommands = {
  ctr: (p: Place) => commands.ctr(p),
  embed: (p: Place) => commands.embed(p),
  pretrain: (p: Place) => commands.pretrain(p, { 'data.cache': p.path('cache') }),
  predict: (p: Place) => commands.predict(p, p.sound.ctr),
  sample: ({ out }: Place) => ['sample', '--size', '60', '--out', out],
  evaluate: ({ sound }: Place) => commands.evaluate(join(sound.ctr, 'predictions.parquet')),
}
type Name = keyof typeof environmentCommands
const every = Object.keys(environmentCommands) as Name[]
const writing: Name[] = ['ctr', 'embed', 'pretrain', 'predict', 'sample']

const isRoot = process.getuid?.() === 0
/** Whether this machine permits a shell command, e.g. to mount. */
const can = (command: string) => process.platform === 'linux' && spawnSync('bash', ['-c', command]).status === 0
const canMount = can('unshare -m mount -t tmpfs none /mnt')
const noMount = canMount ? false : 'this machine permits no mounts'
const linux = process.platform === 'linux' ? false : 'this is for Linux'
const notRoot = isRoot && can('setpriv --reuid 65534 --clear-groups true') ? false : 'only root can become another user'
/** Runs in a file system of this many bytes at `$PLACE/small`, which is gone afterwards. */
const small = (size: string) =>
  `unshare -m bash -c 'mount -t tmpfs -o size=${size} none "$PLACE/small" && "$@"' mim "$@"`
const makeSmall = (p: Place) => mkdirSync(p.path('small'))

const list: Fault[] = []
const fault = (name: string, shell: string, more: Partial<Fault> = {}) => list.push({ name, shell, ...more })
const as = (name: string, env: Fault['env'], more: Partial<Fault> = {}) =>
  fault(name, '"$@"', { env, refused: 'never', ...more })

// Disks.
for (const size of ['0k', '16k', '64k', '200k']) {
  fault(`a disk of ${size} for temporary files`, small(size), {
    prepare: makeSmall,
    env: { TMPDIR: 'small' },
    refused: /place-full|memory-limit|TMPDIR|small/,
    skip: noMount,
    commands: every,
  })
}
for (const blocks of [1, 8, 40]) {
  fault(`files of at most ${blocks} KB`, `ulimit -f ${blocks}; "$@"`, {
    refused: /^error \[place-full\]: .*\/\S+: .*file is larger than the file system or ulimit -f allows/m,
    commands: writing,
    skip: linux,
  })
}
fault(
  'a read-only disk for the output',
  `unshare -m bash -c 'mount -t tmpfs -o ro none "$PLACE/small" && cd "$PLACE/small" && "$@"' mim "$@"`,
  {
    prepare: makeSmall,
    env: { OUT: 'small/out' },
    refused: /^error \[place-denied\]: --out .*small.*read-only; choose another place/m,
    commands: writing,
    skip: noMount,
  },
)
for (const size of ['4k', '40k', '120k']) {
  fault(`a disk of ${size} for the output`, small(size), {
    prepare: makeSmall,
    env: { OUT: 'small/out' },
    refused: /^error \[place-full\]: .*small.*no space left on the disk; free space/m,
    commands: writing,
    skip: noMount,
  })
}
fault(
  'a read-only disk for temporary files',
  `unshare -m bash -c 'mount -t tmpfs -o ro none "$PLACE/small" && "$@"' mim "$@"`,
  {
    prepare: makeSmall,
    env: { TMPDIR: 'small' },
    refused: /^error \[place-denied\]: .*(TMPDIR|small).*read-only/m,
    commands: every,
    skip: noMount,
  },
)
fault('a temporary folder that is not there', '"$@"', {
  env: { TMPDIR: 'gone' },
  refused: /^error \[place-missing\]: .*TMPDIR/m,
  commands: every,
})
fault('a temporary folder that is a file', '"$@"', {
  prepare: (p) => p.file('file', 'x'),
  env: { TMPDIR: 'file' },
  refused: /^error \[place-not-folder\]: .*TMPDIR/m,
  commands: every,
})
fault('no shared memory', `unshare -m bash -c 'mount -t tmpfs -o size=0,ro none /dev/shm && "$@"' mim "$@"`, {
  refused: 'never',
  skip: noMount,
  commands: every,
})
fault('another user, who may not write', 'setpriv --reuid 65534 --regid 65534 --clear-groups "$@"', {
  prepare: ({ folder }) => chmodSync(folder, 0o755),
  refused: /^error \[place-denied\]: .*permission denied; change its permissions/m,
  skip: notRoot,
  commands: writing,
})
fault('another user, who may write but has no home', 'setpriv --reuid 65534 --regid 65534 --clear-groups "$@"', {
  prepare: ({ folder, temporary }) =>
    [folder, temporary].forEach((one) => {
      chmodSync(one, 0o777)
    }),
  env: { HOME: '/nonexistent' },
  refused: 'never',
  skip: notRoot,
  commands: ['ctr', 'embed', 'sample'],
})

// Open files, memory, threads.
for (const count of [40, 64, 128, 256]) {
  fault(`${count} open files`, `ulimit -n ${count}; "$@"`, {
    refused: /^error \[files-open\]: .*too many open files; raise the limit, e\.g\. ulimit -n/m,
    commands: every,
    skip: linux,
  })
}
fault('1.5 GB of memory', 'ulimit -d 1500000; "$@"', { refused: 'never', commands: every, skip: linux })
fault('a heap of 200 MB', '"$@"', {
  env: { NODE_OPTIONS: '--max-old-space-size=200' },
  refused: 'never',
  commands: every,
})
fault('60 threads of a user', 'ulimit -u 60; setpriv --reuid 64999 --regid 64999 --clear-groups "$@"', {
  prepare: ({ folder, temporary }) =>
    [folder, temporary].forEach((one) => {
      chmodSync(one, 0o777)
    }),
  refused: 'never',
  skip: notRoot,
  commands: ['ctr', 'embed'],
})

// Clocks.
const clock = (name: string, code: string) =>
  fault(`a clock ${name}`, '"$@"', {
    prepare: (p) => p.file('clock.cjs', code),
    env: { NODE_OPTIONS: '--require=clock.cjs' },
    refused: 'never',
    commands: ['ctr', 'embed', 'pretrain'],
  })
clock(
  'of 1970',
  'const d = Date; global.Date = class extends d { constructor(...a) { a.length ? super(...a) : super(1000) } static now() { return 1000 } }',
)
clock('that goes back', 'let t = Date.now(); Date.now = () => (t -= 1000)')
clock('of the year 2100', 'const now = Date.now; Date.now = () => now() + 75 * 365 * 86400e3')
fault('inputs of the future', '"$@"', {
  prepare: (p) => {
    const data = p.copy('data')
    utimesSync(join(data, 'items.parquet'), new Date('2101-01-01'), new Date('2101-01-01'))
  },
  refused: 'never',
  commands: ['ctr', 'embed'],
})

// Terminals, languages, variables.
as('no home', { HOME: undefined, XDG_CACHE_HOME: undefined }, { commands: every })
as('a home that is not there', { HOME: '/nonexistent' }, { commands: every })
as('an odd language', { LANG: 'xx_YY', LC_ALL: 'tr_TR.UTF-8', LANGUAGE: '' }, { commands: every })
as('the language C and the zone of Kiritimati', { LC_ALL: 'C', TZ: 'Pacific/Kiritimati' }, { commands: every })
as('a zone that is none', { TZ: 'Mars/Olympus' }, { commands: ['ctr', 'sample'] })
as('a terminal of one column', { COLUMNS: '1', LINES: '1', TERM: 'dumb', NO_COLOR: '1' }, { commands: every })
as('no terminal at all', { TERM: '', FORCE_COLOR: '3' }, { commands: ['ctr'] })
as(
  'no variable',
  Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => name !== 'PATH')
      .map((name) => [name, undefined]),
  ),
  { commands: ['ctr', 'sample'] },
)
fault('a mask of 077', 'umask 077; "$@"', { refused: 'never', commands: every })
fault('a mask of 000', 'umask 000; "$@"', { refused: 'never', commands: every })

// Streams.
fault('a closed input', '"$@" <&-', { refused: 'never', commands: every })
fault('a closed output', '"$@" >&-', { refused: 'never', commands: every })
fault('closed errors', '"$@" 2>&-', { refused: 'never', commands: every })
fault('no stream at all', '"$@" <&- >&- 2>&-', { refused: 'never', commands: ['ctr', 'sample'] })
fault('an output that is full', '"$@" > /dev/full', {
  refused: /^error \[place-full\]/m,
  commands: ['ctr', 'evaluate'],
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
})
fault('errors that are full', '"$@" 2> /dev/full', {
  refused: 'never',
  commands: ['ctr', 'sample'],
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
})
fault('a reader that leaves', 'set -o pipefail; "$@" | head -c 1 > /dev/null', { refused: 'never', commands: every })

// Working folders and names.
fault('a working folder that is gone', 'mkdir "$PLACE/here"; cd "$PLACE/here"; rmdir "$PLACE/here"; "$@"', {
  refused: /working folder|place-missing/,
  commands: every,
  skip: linux,
})
const names: Record<string, string> = {
  spaces: 'a  b ',
  quotes: `it's "mine"`,
  'signs of an address': '100%41#x?y=1&z',
  'signs of a pattern': 'a[1]*{b,c}',
  'a line break': 'a\nb',
  'a dash in front': '-o',
  '200 letters': 'x'.repeat(200),
  'other scripts': 'мои данные 数据 👟',
  'a dollar and a backslash': '$HOME\\x',
}
for (const [name, text] of Object.entries(names)) {
  fault(`names with ${name}`, 'cd "$PLACE"; "$@"', {
    prepare: (p) => {
      p.copy('data', text)
      mkdirSync(p.path('to'))
    },
    env: { DATA: text, OUT: `to/${text}` },
    refused: 'never',
    commands: ['ctr', 'embed', 'pretrain', 'sample', 'predict'],
    skip: linux,
  })
}
fault(
  'a name that is not UTF-8',
  'cp -r "$DATA_SOUND" "$PLACE"/$\'caf\\xe9\'; cd "$PLACE"; "$@" --data $\'caf\\xe9\'',
  { refused: /^error \[(table-missing|place-missing|place-name)\]/m, commands: ['ctr', 'embed'], skip: linux },
)

export const faults = list
export const mimPath = join(root, 'bin/mim')
