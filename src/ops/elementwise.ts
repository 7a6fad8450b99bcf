import { constant } from './source.js'
import {
  type ActivationForm,
  type DType,
  describe,
  node,
  type OpName,
  type OpTable,
  type Shape,
  type Tensor,
} from './tensor.js'

/** Shape of an element-wise operation on `tensors` after broadcasting (numpy rules). */
function broadcastShapes(op: string, ...tensors: Tensor[]): Shape {
  const rank = Math.max(...tensors.map((t) => t.shape.length))
  return Array.from({ length: rank }, (_, i) => {
    const sizes = new Set(tensors.map((t) => t.shape[i - rank + t.shape.length] ?? 1))
    sizes.delete(1)
    // At run time an unknown dimension must equal the known one.
    if (sizes.size > 1) sizes.delete(-1)
    if (sizes.size > 1) throw new Error(`${op}: shapes do not broadcast: ${tensors.map(describe).join(', ')}`)
    return [...sizes][0] ?? 1
  })
}

type Operand = Tensor | number
type Nullary = { [K in OpName]: keyof OpTable[K] extends never ? K : never }[OpName]

/** Turns a number into a constant, of the type of the other operand. */
function lift(operand: Operand, other: Operand): Tensor {
  if (typeof operand !== 'number') return operand
  return constant(operand, [], typeof other === 'number' ? 'float32' : other.dtype)
}

const unary = (op: Nullary, dtype?: DType) => (x: Tensor) => node(op, [x], {} as never, x.shape, dtype ?? x.dtype)

const binary = (op: Nullary, dtype?: DType) => (left: Operand, right: Operand) => {
  const a = lift(left, right)
  const b = lift(right, left)
  if (a.dtype !== b.dtype) throw new Error(`${op}: types differ: ${describe(a)} ${a.dtype}, ${describe(b)} ${b.dtype}`)
  return node(op, [a, b], {} as never, broadcastShapes(op, a, b), dtype ?? a.dtype)
}

export const neg = unary('neg')
export const exp = unary('exp')
export const log = unary('log')
export const sqrt = unary('sqrt')
/** 1/√x. */
export const rsqrt = unary('rsqrt')
/** Largest whole number ≤ x; its gradient is zero. */
export const floor = unary('floor')
export const logicalNot = unary('logicalNot')

export const add = binary('add')
export const sub = binary('sub')
export const mul = binary('mul')
export const div = binary('div')
export const maximum = binary('maximum')
export const minimum = binary('minimum')
export const greater = binary('greater', 'bool')
export const greaterEqual = binary('greaterEqual', 'bool')
export const equal = binary('equal', 'bool')
export const logicalAnd = binary('logicalAnd')

export const square = (x: Tensor): Tensor => mul(x, x)

/** Converts the type of `x`: bool to float gives 0 and 1, float to int32 truncates. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : node('cast', [x], { dtype }, x.shape, dtype)
}

/** `condition ? a : b`, element by element; the three broadcast. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const x = lift(a, b)
  const y = lift(b, a)
  return node('select', [condition, x, y], {}, broadcastShapes('select', condition, x, y), x.dtype)
}

const activate = (form: ActivationForm) => (x: Tensor) => node('activation', [x], { form }, x.shape)

export const relu = activate('relu')
export const sigmoid = activate('sigmoid')
export const tanh = activate('tanh')
/** log(1 + eˣ), without overflow for large |x|. */
export const softplus = activate('softplus')
export const gelu = activate('gelu')
export const geluTanh = activate('geluTanh')
export const quickGelu = activate('quickGelu')

/** Gradient of an activation: `x` its input, `y` its output, `dy` the gradient that arrives at `y`. */
export function activationGrad(form: ActivationForm, x: Tensor, y: Tensor, dy: Tensor): Tensor {
  return node('activationGrad', [x, y, dy], { form }, x.shape)
}
