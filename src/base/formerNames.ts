/** Former names of options: configurations that were saved under them still load. */

type Tree = { [key: string]: unknown }

/** Current paths of renamed options, and their former keys. */
const options: readonly { path: string; was: string }[] = [
  { path: 'data.normalize', was: 'normalise' },
  { path: 'model.behaviorSearch', was: 'gsu' },
]

/** Renamed values, by the key of their option (in any section): former name to current name. */
const values: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  transform: { standardise: 'standardize' },
}

/** A copy of a configuration in which renamed options and values have their current names. */
export function withCurrentNames(tree: Tree): Tree {
  const current = withCurrentValues(tree) as Tree
  for (const { path, was } of options) {
    const keys = path.split('.')
    const name = keys.pop()!
    const parent = keys.reduce<unknown>((tree, key) => (isTree(tree) ? tree[key] : undefined), current)
    if (!isTree(parent) || !(was in parent)) continue
    // If both are given, the current name wins and the former one is reported as unknown.
    if (name in parent) continue
    parent[name] = parent[was]
    delete parent[was]
  }
  return current
}

/** The path of an option, e.g. of `--set model.gsu.topK=5`, under its current name. */
export function currentPath(path: string): string {
  for (const { path: current, was } of options) {
    const former = [...current.split('.').slice(0, -1), was].join('.')
    if (path === former || path.startsWith(`${former}.`)) return current + path.slice(former.length)
  }
  return path
}

function withCurrentValues(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((inner) => withCurrentValues(inner))
  if (isTree(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withCurrentValues(v, k)]))
  const former = Object.hasOwn(values, key) ? values[key] : undefined
  return typeof value === 'string' && former && Object.hasOwn(former, value) ? former[value] : value
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
