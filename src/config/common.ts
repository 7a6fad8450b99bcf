/** Options that several stages share. `mim config STAGE` prints the descriptions of the schemas. */
import { z } from 'zod'
import { limitIn, limitRule } from '../base/capacity.js'
import { durationPattern } from '../base/duration.js'
import { nearest } from '../base/suggest.js'
import { timeUnits } from '../data/times/units.js'

export const engineOptions = {
  engine: z
    .enum(['auto', 'tensorflow', 'wasm'])
    .default('auto')
    .describe('Training engine: tensorflow (native, fast), wasm (runs anywhere), or auto: the first that loads'),
  device: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe('Device of the tensorflow engine; gpu fails if there is none'),
}

/**
 * Largest values of options. They are far above what anyone trains, so that a slip of the keyboard is refused at once
 * instead of taking all memory; what fits into the memory of this machine is checked later.
 */
export const most = {
  /** Widths of layers and vectors. */
  width: 2 ** 16,
  /** Rows of a step or of a call of an encoder. */
  batch: 2 ** 24,
  /** Pixels along the side of a picture that a model sees. */
  side: 4096,
  /** Blocks of a transformer, heads of an attention, layers of a network. */
  layers: 1024,
  /** Hidden layers of a click model. */
  hidden: 64,
  /** Tokens of a text. */
  tokens: 8192,
  /** Behaviors of a history. */
  history: 2 ** 20,
  /** Rows of a table of embeddings: their numbers are int32. */
  rows: 2 ** 31 - 1,
  /** Threads of one kind. */
  threads: 1024,
  /** Passes over the data. */
  epochs: 1e6,
  /** Pixels of a picture in a file. */
  pixels: 2 ** 32,
}

export const seedOption = z
  .int()
  .nonnegative()
  .default(1)
  .describe('Random seed; the same seed and engine give the same result on a CPU')

/** Location of the inputs. A table is a Parquet file, a glob, a folder of parts, a hive folder or s3://…. */
export const dataOptions = {
  root: z.string().default('.').describe('Folder that relative paths of tables start from'),
}

/** The memory that queries, or columns, may take. */
export const memoryLimit = z.string().refine((text) => limitIn(text) !== undefined, `expected ${limitRule}`)

export const timeUnit = z
  .enum(['auto', ...timeUnits])
  .default('auto')
  .describe('Unit of times that are numbers since 1970; auto: inferred from their magnitude')

export const timeZone = z
  .string()
  .nullable()
  .default(null)
  .superRefine((zone, context) => {
    if (zone === null || isTimeZone(zone)) return
    const suggestion = nearest(zone, ['UTC', ...Intl.supportedValuesOf('timeZone')])
    context.addIssue(`expected an IANA time zone${suggestion ? `; did you mean '${suggestion}'?` : ''}`)
  })
  .describe('Time zone (IANA name) of times that are stored without one, e.g. Asia/Shanghai; null: UTC')

function isTimeZone(name: string): boolean {
  try {
    // Offsets such as +08:00 are no names.
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

/** The least share of matches that joins of the inputs should have. */
export const minCoverageOption = z
  .number()
  .min(0)
  .max(1)
  .default(0.5)
  .describe(
    'Minimum coverage of joins: warn if less than this share of the rows of one table finds its ids in the other; ' +
      'training stops where nothing is found',
  )

export const table = (name: string, what: string) => z.string().default(`${name}.parquet`).describe(what)

/** Splits the rows of a table in time order; `trains` names what the first part is used for. */
export const splitOption = (rows: string, trains: string) =>
  z
    .strictObject({
      train: z.number().gt(0).lt(1).default(0.7).describe(`Share of the ${rows}, the earliest ones, that ${trains}`),
      valid: z
        .number()
        .gt(0)
        .lt(1)
        .default(0.1)
        .describe('Share of the next ones, used for validation to choose the checkpoint; the rest is the test set'),
    })
    .refine(({ train, valid }) => train + valid < 1, 'expected train + valid below 1: the rest is the test set')
    .prefault({})

/** Options of the training loop, the same for every stage. */
export const loopOptions = {
  logEvery: z.int().positive().default(20).describe('Steps between two rows of the history and two log lines'),
  evaluateEvery: z.int().nonnegative().default(0).describe('Steps between two evaluations; 0: after every epoch'),
  monitor: z
    .string()
    .nullable()
    .default(null)
    .describe('Evaluation metric to choose the checkpoint by, e.g. valid_gauc; null: the main metric of the stage'),
  maxTime: z
    .string()
    .regex(durationPattern, 'expected a time such as 90s, 30m, 2h or 1h30m')
    .nullable()
    .default(null)
    .describe('Time limit of training, counted from the start of the command; --resume continues; null: no limit'),
  workers: z
    .int()
    .nonnegative()
    .max(most.threads)
    .default(0)
    .describe('Threads that prefetch batches; 0: one per four cores'),
  saveEvery: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Steps between two saved states for --resume; 0: at every evaluation'),
}

/** Options of the optimizer; the defaults depend on the kind of model. */
export const optimizerOptions = ({ weightDecay = 0, clipNorm = 0, beta2 = 0.999, epsilon = 1e-8 }) => ({
  optimizer: z
    .enum(['adam', 'sgd', 'nesterov', 'adagrad'])
    .default('adam')
    .describe('Optimizer: adam (AdamW with weightDecay), sgd or nesterov (gradient descent with momentum), adagrad'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum: β₁ of adam, μ of sgd and nesterov'),
  beta2: z.number().gt(0).lt(1).default(beta2).describe('β₂ of adam: decay rate of the squared gradient'),
  epsilon: z.number().positive().default(epsilon).describe('ε of adam and adagrad, added to the denominator'),
  weightDecay: z
    .number()
    .min(0)
    .default(weightDecay)
    .describe('Decoupled weight decay of matrices; biases, norms and position embeddings are exempt'),
  clipNorm: z
    .number()
    .min(0)
    .default(clipNorm)
    .describe('Gradient clipping: maximum norm of the dense gradient; 0: off'),
  ema: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      'Decay rate per step of an exponential moving average of the weights, which is then evaluated and saved; 0: off',
    ),
})

/** For models that are towers of transformer layers. */
export const layerDecayOption = z
  .number()
  .gt(0)
  .max(1)
  .default(1)
  .describe('Layer-wise learning rate decay: factor from each transformer layer to the one below; 1: off')

export const rateOptions = (rate: number, warmup: number) => ({
  learningRate: z.number().positive().default(rate).describe('Peak learning rate'),
  schedule: z.enum(['cosine', 'linear', 'constant']).default('cosine').describe('Learning rate schedule after warm-up'),
  warmup: z
    .number()
    .min(0)
    .max(1)
    .default(warmup)
    .describe('Warm-up: share of all steps in which the learning rate rises linearly from 0'),
})

export const precisionOption = z
  .enum(['fp32', 'bf16', 'auto'])
  .default('fp32')
  .describe(
    'Precision of matrix products; weights and losses are always float32; auto: bf16 if it is measured to be faster',
  )

export const recomputeOption = z
  .boolean()
  .default(false)
  .describe('Gradient checkpointing: recompute each transformer block in the backward pass; less memory, more time')

export const microBatchOption = z
  .int()
  .nonnegative()
  .max(most.batch)
  .default(0)
  .describe(
    'Rows per forward pass of an encoder, to save memory (GradCache); the gradient is exactly the one of the full ' +
      'batch; 0: all',
  )
