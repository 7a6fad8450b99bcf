/** The share of the catalogue that one of several processes works on. */
import { UserError } from '../../base/errors.js'

export interface Shard {
  /** Counted from 0. */
  index: number
  count: number
}

const mostShards = 1_000_000

/** Environment variables with the index of a process: of Kubernetes' Indexed Jobs and of Slurm's arrays. */
const indexNames = ['JOB_COMPLETION_INDEX', 'SLURM_ARRAY_TASK_ID'] as const

/**
 * Parses a shard: `2/8` is the third of eight. `auto/8`, or `auto` with the count in MIM_SHARDS or
 * SLURM_ARRAY_TASK_COUNT, takes the index from the scheduler; Slurm arrays may start at any number.
 * @throws UserError `shard-value`; `shard-missing` where the environment lacks a variable that `auto` needs.
 */
export function parseShard(text: string, env: NodeJS.ProcessEnv): Shard {
  const expected = 'INDEX/COUNT counted from 0, e.g. 0/4, or auto/4'
  const [, index, count] = /^(\d+|auto)(?:\/(\d+))?$/.exec(text) ?? []
  if (index === undefined || (index !== 'auto' && count === undefined)) {
    throw new UserError({ id: 'shard-value', where: '--shard', what: `'${text}'`, expected })
  }
  const shard = {
    index: index === 'auto' ? indexOf(env) : Number(index),
    count: Number(count ?? env['MIM_SHARDS'] ?? env['SLURM_ARRAY_TASK_COUNT'] ?? missing('MIM_SHARDS')),
  }
  const areWhole = Number.isInteger(shard.index) && Number.isInteger(shard.count)
  if (areWhole && shard.index < shard.count && shard.count <= mostShards) return shard
  throw new UserError({ id: 'shard-value', where: '--shard', what: `shard ${shard.index} of ${shard.count}`, expected })
}

function indexOf(env: NodeJS.ProcessEnv): number {
  const name = indexNames.find((one) => env[one])
  if (!name) return missing(indexNames.join(' or '))
  return Number(env[name]) - (name === 'SLURM_ARRAY_TASK_ID' ? Number(env['SLURM_ARRAY_TASK_MIN'] ?? 0) : 0)
}

function missing(name: string): never {
  const what = `auto needs ${name} in the environment`
  throw new UserError({ id: 'shard-missing', where: '--shard', what, remedy: 'give the shard, e.g. --shard 0/4' })
}
