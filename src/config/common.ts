/** Options that several stages share. The schemas are their documentation: `mim config STAGE` prints them. */
import { z } from 'zod'
import { durationPattern } from '../base/duration.js'

export const engineOptions = {
  engine: z
    .enum(['auto', 'tensorflow', 'wasm'])
    .default('auto')
    .describe('What trains: tensorflow (native, fast), wasm (runs anywhere), or auto: the first that loads'),
  device: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe('Where tensorflow runs; gpu fails where there is none'),
}

export const seedOption = z.int().nonnegative().default(1).describe('Same seed, same engine, same result')

/** Where the inputs lie. A table is a Parquet file, a glob, a folder of parts, a hive folder or s3://…. */
export const dataOptions = {
  root: z.string().default('.').describe('Folder that relative paths below start from'),
}

export const table = (name: string, what: string) => z.string().default(`${name}.parquet`).describe(what)

/** Shares of the rows of a table in the order of time; `trains` says what the first part is for. */
export const splitOption = (rows: string, trains: string) =>
  z
    .strictObject({
      train: z.number().gt(0).lt(1).default(0.7).describe(`Share of the ${rows}, the earliest, that ${trains}`),
      valid: z
        .number()
        .gt(0)
        .lt(1)
        .default(0.1)
        .describe('Share that follows and chooses the checkpoint; the rest is the test'),
    })
    .refine(({ train, valid }) => train + valid < 1, 'expected train + valid below 1: the rest is the test')
    .prefault({})

/** How training goes through time, the same for every stage. */
export const loopOptions = {
  logEvery: z.int().positive().default(20).describe('Steps between two rows of history and two lines of log'),
  evaluateEvery: z.int().nonnegative().default(0).describe('Steps between two evaluations; 0: after each epoch'),
  monitor: z
    .string()
    .nullable()
    .default(null)
    .describe('Metric of the evaluations that chooses the model, e.g. valid_gauc; null: the main one of the stage'),
  maxTime: z
    .string()
    .regex(durationPattern, 'expected a time such as 90s, 30m, 2h or 1h30m')
    .nullable()
    .default(null)
    .describe('Time from the start of the command after which training ends; --resume goes on; null: no limit'),
  workers: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Threads that make batches ahead of need; 0: one for every four cores'),
  saveEvery: z.int().nonnegative().default(0).describe('Steps between two saves for --resume; 0: at every evaluation'),
}

/** What turns gradients into steps. `beta2` and `epsilon` are the customary ones of the kind of model. */
export const optimizerOptions = ({ weightDecay = 0, clipNorm = 0, beta2 = 0.999, epsilon = 1e-8 }) => ({
  optimizer: z
    .enum(['adam', 'sgd', 'nesterov', 'adagrad'])
    .default('adam')
    .describe('adam (with weightDecay: AdamW); sgd, nesterov: gradient descent with momentum of either kind; adagrad'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Share of the past gradient kept: β₁ of adam, μ of sgd'),
  beta2: z.number().gt(0).lt(1).default(beta2).describe('Share of the past squared gradient that adam keeps'),
  epsilon: z.number().positive().default(epsilon).describe('Added to the root in adam and adagrad'),
  weightDecay: z
    .number()
    .min(0)
    .default(weightDecay)
    .describe('Decoupled decay of matrices; not of biases, norms and positions'),
  clipNorm: z.number().min(0).default(clipNorm).describe('Largest norm of the dense gradient; 0: no limit'),
  ema: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('Share that a moving average of the network keeps in a step; it is evaluated and saved; 0: none'),
})

/** For models that are towers of transformer layers. */
export const layerDecayOption = z
  .number()
  .gt(0)
  .max(1)
  .default(1)
  .describe('Factor on the learning rate from each transformer layer to the one below; 1: all learn alike')

export const rateOptions = (rate: number, warmup: number) => ({
  learningRate: z.number().positive().default(rate).describe('Highest learning rate'),
  schedule: z.enum(['cosine', 'linear', 'constant']).default('cosine').describe('How the rate falls after the warm-up'),
  warmup: z.number().min(0).max(1).default(warmup).describe('Share of all steps over which the rate rises from 0'),
})

export const precisionOption = z
  .enum(['fp32', 'bf16', 'auto'])
  .default('fp32')
  .describe(
    'What the matrix products of the networks multiply in; weights and losses are float32 always; auto: bf16 where ' +
      'it is measured to be faster',
  )

export const recomputeOption = z
  .boolean()
  .default(false)
  .describe('Compute each transformer block again on the way back instead of keeping it: less memory, more time')

export const microBatchOption = z
  .int()
  .nonnegative()
  .default(0)
  .describe('Rows that go through an encoder at once, to save memory; the step is that of the whole batch; 0: all')
