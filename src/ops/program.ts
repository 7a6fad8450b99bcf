import { isOp, type Ops, type Tensor } from './tensor.js'

/** What one run computes: inputs and outputs have names, effects change variables. */
export interface Program {
  readonly inputs: ReadonlyMap<string, Tensor<'input'>>
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly effects: readonly Tensor[]
  /** Every node that outputs or effects depend on, each after its inputs. */
  readonly nodes: readonly Tensor[]
}

/** All nodes that `roots` depend on, `roots` included, each after its inputs. */
export function ancestors(roots: Iterable<Tensor>): Tensor[] {
  const found = new Set<Tensor>()
  const open = [...roots]
  for (let t = open.pop(); t; t = open.pop()) {
    if (found.has(t)) continue
    found.add(t)
    open.push(...t.inputs)
  }
  return [...found].sort((a, b) => a.id - b.id)
}

export function program(outputs: Record<string, Tensor>, effects: readonly Tensor[] = []): Program {
  const nodes = ancestors([...Object.values(outputs), ...effects])
  const inputs = new Map<string, Tensor<'input'>>()
  for (const node of nodes) {
    if (!isOp(node, 'input')) continue
    if (inputs.has(node.attrs.name)) throw new Error(`input '${node.attrs.name}' is defined twice in one program`)
    inputs.set(node.attrs.name, node)
  }
  return { inputs, outputs, effects, nodes }
}

/** Effects come last, so that every read in a program sees the state before the program. */
export function executionOrder({ nodes, effects }: Program): Tensor[] {
  const last = new Set(effects)
  return [...nodes.filter((n) => !last.has(n)), ...effects]
}

/**
 * Lowers `nodes` (in order) to a target: calls the target's operation for each node, with the target's
 * values of its inputs. Returns the target's value of a node; calls `release` with each value after its last use.
 */
export function lower<T>(nodes: readonly Tensor[], ops: Ops<T>, keep: Iterable<Tensor>, release?: (value: T) => void) {
  const values = new Map<Tensor, T | T[]>()
  const uses = new Map<Tensor, number>()
  const use = (t: Tensor) => uses.set(t, (uses.get(t) ?? 0) + 1)
  for (const n of nodes) n.inputs.forEach(use)
  for (const t of keep) use(t)
  const value = (t: Tensor): T => values.get(t) as T

  for (const n of nodes) {
    const inputs = isOp(n, 'part') ? (values.get(n.inputs[0]) as T[]) : n.inputs.map(value)
    const run = ops[n.op] as (inputs: T[], attrs: unknown, node: Tensor) => T | T[]
    values.set(n, run(inputs, n.attrs, n))
    if (!release) continue
    for (const t of new Set([n, ...n.inputs])) {
      const left = (uses.get(t) ?? 0) - n.inputs.filter((i) => i === t).length
      uses.set(t, left)
      if (left > 0) continue
      for (const v of [values.get(t)].flat()) release(v as T)
      values.delete(t)
    }
  }
  return value
}
