/** Precision of matrix products: float32, or bfloat16 where it is faster on this machine. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { writeJson } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import { matmul, type Precision, sum, variable } from '../ops/index.js'
import { program } from '../ops/program.js'
import type { Engine } from './session.js'

const precisionNames = ['fp32', 'bf16', 'auto'] as const

/** `auto` chooses bfloat16 if a product takes less than this share of its time in float32. */
const worthwhile = 0.9
const trials = 5
/** The measured product, [m, k] × [k, n], about the size of one in a small transformer. */
const [m, k, n] = [4096, 256, 1024]

/**
 * `engine` with all sessions opened in the requested precision. `auto` measures which is faster and writes the result to
 * `file`, so that a resumed run keeps it. `say` gets one line with the precision unless float32 was requested.
 */
export async function inPrecision(
  engine: Engine,
  requested: (typeof precisionNames)[number],
  file: string,
  say: (line: string) => void,
): Promise<Engine> {
  const precision = requested === 'auto' ? await remembered(engine, file) : requested
  if (requested !== 'fp32') say(`precision: ${precision}${requested === 'auto' ? ', the faster one here' : ''}`)
  return { ...engine, open: (programs, variables) => engine.open(programs, variables, precision) }
}

const kept = z.object({ precision: z.enum(['fp32', 'bf16']) })

/** @throws UserError `file-broken`: measured again, the other precision could win. */
async function remembered(engine: Engine, file: string): Promise<Precision> {
  const remedy = 'write {"precision": "fp32"} or {"precision": "bf16"} into it, as log.jsonl says'
  if (existsSync(file)) return readJson(file, kept, { remedy }).precision
  const precision = engine.name === 'tensorflow' ? faster(engine) : 'fp32'
  await writeJson(file, { precision })
  return precision
}

/** The faster precision, by the shortest of several alternating trials of a product. */
function faster(engine: Engine): Precision {
  const left = { name: 'left', shape: [m, k], dtype: 'float32' } as const
  const right = { name: 'right', shape: [k, n], dtype: 'float32' } as const
  const total = sum(matmul(variable(left.name, left.shape), variable(right.name, right.shape)))
  const [single, half] = (['fp32', 'bf16'] as const).map((precision) => {
    const session = engine.open({ product: program({ total }) }, [left, right], precision)
    session.run('product')
    return { session, least: Number.POSITIVE_INFINITY }
  })
  for (let i = 0; i < trials; i++) {
    for (const one of [single, half]) {
      const started = performance.now()
      one.session.run('product')
      one.least = Math.min(one.least, performance.now() - started)
    }
  }
  for (const { session } of [single, half]) session.dispose()
  return half.least < worthwhile * single.least ? 'bf16' : 'fp32'
}
