/** What differs between two fingerprints of an input, in words. */
import type { FilePrint, FilesPrint, PicturesPrint, Print } from './print.js'

/** Each difference as a phrase, e.g. "column 'label' of part-3.parquet is different"; none if both are equal. */
export function changesOf(was: Print, now: Print): string[] {
  if (was.kind === 'files' && now.kind === 'files') return fileChanges(was, now)
  if (was.kind === 'pictures' && now.kind === 'pictures') return pictureChanges(was, now)
  if (was.kind === 'name' && now.kind === 'name')
    return was.name === now.name ? [] : [`it is ${now.name}, was ${was.name}`]
  return ['it is of another kind']
}

function fileChanges(was: FilesPrint, now: FilesPrint): string[] {
  const [before, after] = [was, now].map(({ files }) => new Map(files.map((file) => [file.name, file])))
  const added = now.files.filter(({ name }) => !before.has(name))
  const gone = was.files.filter(({ name }) => !after.has(name))
  const changed = now.files.filter(({ name, hash, size }) => {
    const old = before.get(name)
    return old !== undefined && (old.hash !== hash || old.size !== size)
  })
  if (added.length + gone.length + changed.length === 0) return []
  return [
    ...(added.length > 0 ? [`new: ${listed(added.map(nameOf))}`] : []),
    ...(gone.length > 0 ? [`gone: ${listed(gone.map(nameOf))}`] : []),
    ...rowChanges(was, now),
    ...(changed.length > 0 ? contentChanges(was, now, changed, before) : []),
  ]
}

function rowChanges({ rows: were }: FilesPrint, { rows }: FilesPrint): string[] {
  return rows === were ? [] : [`${counted(rows ?? 0, 'row')}, were ${(were ?? 0).toLocaleString('en-US')}`]
}

/** What changed in files that are still there. */
function contentChanges(
  was: FilesPrint,
  now: FilesPrint,
  changed: readonly FilePrint[],
  before: ReadonlyMap<string, FilePrint>,
): string[] {
  const columns = columnChanges(was, now)
  // Other rows are other values of all columns.
  if (was.rows !== now.rows && columns.join() === everyColumn && now.files.length === 1) return []
  const files = listed(changed.map(nameOf))
  // The name says nothing if there is one file only.
  const of = now.files.length > 1 || now.columns === undefined ? ` of ${files}` : ''
  // Hashes of columns are over all files.
  const isSameList = was.files.length === now.files.length && now.files.every(({ name }) => before.has(name))
  if (columns.length > 0 && isSameList) return columns.map((change) => `${change}${of}`)
  const [{ name, size }] = changed
  const old = before.get(name)!.size
  const sizes =
    changed.length === 1 && old !== size ? ` (${counted(size, 'byte')}, were ${old.toLocaleString('en-US')})` : ''
  const what = now.columns === undefined || now.files.length > 1 ? files : 'the file'
  return [`${what} changed${sizes}`]
}

const everyColumn = 'other values or another order of rows'

function columnChanges({ columns: were = [] }: FilesPrint, { columns = [] }: FilesPrint): string[] {
  const before = new Map(were.map(({ name, hash }) => [name, hash]))
  const names = columns.map(({ name }) => name)
  const added = names.filter((name) => !before.has(name))
  const gone = were.map(({ name }) => name).filter((name) => !names.includes(name))
  const changed = columns
    .filter(({ name, hash }) => before.has(name) && before.get(name) !== hash)
    .map(({ name }) => name)
  const kept = were.map(({ name }) => name).filter((name) => names.includes(name))
  const isMoved = names.filter((name) => before.has(name)).some((name, i) => kept[i] !== name)
  return [
    ...(added.length > 0 ? [`new ${columnList(added)}`] : []),
    ...(gone.length > 0 ? [`gone ${columnList(gone)}`] : []),
    ...(isMoved ? ['another order of columns'] : []),
    ...(changed.length > 1 && changed.length === columns.length ? [everyColumn] : []),
    ...(changed.length > 0 && (changed.length < columns.length || changed.length === 1)
      ? [`other values in ${columnList(changed)}`]
      : []),
  ]
}

function pictureChanges(was: PicturesPrint, now: PicturesPrint): string[] {
  if (was.hash === now.hash) return []
  const changed = Object.keys(was.sample).filter((path) => now.sample[path] !== was.sample[path])
  const counts =
    was.count === now.count
      ? []
      : [`${counted(now.count, 'picture')} can be read, were ${was.count.toLocaleString('en-US')}`]
  if (changed.length > 0) return [...counts, `other pictures: ${listed(changed)}`]
  return counts.length > 0 ? counts : ['other pictures']
}

const nameOf = ({ name }: FilePrint) => name || 'the file'

const columnList = (names: readonly string[]) =>
  `${names.length === 1 ? 'column' : 'columns'} ${listed(names.map((name) => `'${name}'`))}`

/** The first names, and how many more there are. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}

const counted = (n: number, what: string) => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`
