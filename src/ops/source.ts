import { arrayOf, type DType, node, type Shape, sizeOf, type Tensor, type TypedArray } from './tensor.js'

/** A fixed value. A single number fills the whole shape. */
export function constant(
  value: number | readonly number[] | TypedArray,
  shape: Shape,
  dtype: DType = 'float32',
): Tensor {
  const length = sizeOf(shape)
  const values = new arrayOf[dtype](length)
  if (typeof value === 'number') values.fill(value)
  else if (value.length === length) values.set(value)
  else throw new Error(`constant: ${value.length} values do not fill shape [${shape.join(',')}]`)
  return node('constant', [], { value: values }, shape, dtype)
}

/** A value that each run provides under this name. */
export function input(name: string, shape: Shape, dtype: DType = 'float32'): Tensor<'input'> {
  return node('input', [], { name }, shape, dtype)
}

/** The current value of a variable of the session. All reads of a program precede all its effects. */
export function variable(name: string, shape: Shape, dtype: DType = 'float32'): Tensor<'variable'> {
  return node('variable', [], { name }, shape, dtype)
}

/**
 * Rows of a table: `ids` int32 [...] → float32 [..., width], multiplied by `scale`, also for an int8 table. The table
 * is never read as a whole and has no gradient as a whole: an optimizer takes the gradient with respect to these rows
 * and updates only them.
 */
export function lookup(table: string, width: number, ids: Tensor, scale = 1): Tensor<'lookup'> {
  return node('lookup', [ids], { table, scale }, [...ids.shape, width])
}

/**
 * Uniform random numbers in [0, 1), shaped like `like`. `seed` is int32 [2] and differs from run to run;
 * `salt` distinguishes the uses of one seed.
 */
export function uniform(like: Tensor, seed: Tensor, salt: number): Tensor {
  return node('uniform', [like, seed], { salt }, like.shape)
}
