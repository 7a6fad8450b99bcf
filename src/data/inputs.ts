/** The files and folders that the options of a configuration name as inputs. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Input } from '../base/apart.js'
import { findTable } from './tables/contract.js'

/**
 * The inputs of a stage that exist: its tables, and the checkpoint that it starts from (`init` or `checkpoint`). A
 * pattern counts as the folder that it starts from. What is not on this machine is left out.
 */
export function inputsOf(config: Record<string, unknown>): Input[] {
  const { root = '.', columns: _, cache: __, ...tables } = (config['data'] ?? {}) as { root?: string } & Tree
  const named = Object.entries(tables).flatMap(([key, value]) =>
    textsOf(value).map((path) => ({ option: `data.${key}`, path: withoutPattern(findTable(root, path)) })),
  )
  const checkpoints = ['init', 'checkpoint'].flatMap((option) =>
    textsOf(config[option]).map((path) => ({ option, path: resolve(path) })),
  )
  return [...named, ...checkpoints].filter(({ path }) => existsSync(path))
}

type Tree = Record<string, unknown>

/** The texts in a value: one, a list of them, or one for each part of the data. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

/** A pattern's folder; a file may have a name with such characters. */
function withoutPattern(path: string): string {
  return existsSync(path) ? path : path.split(/\/[^/]*[*?[]/)[0]
}
