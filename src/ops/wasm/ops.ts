/** The operations on the WASM backend of TensorFlow.js: its kernels if they are fast, else our loops. */

import * as tf from '@tensorflow/tfjs-core'
import { arrayOf, type DType, type Ops, type Shape, type Tensor, type TypedArray } from '../tensor.js'
import { activation, activationGrad } from './activations.js'
import { type Heap, HeapTensors } from './heap.js'
import * as kernel from './kernels.js'
import { product } from './product.js'
import * as update from './updates.js'

/** Variables are in JavaScript memory because tables may exceed the 4 GiB of a WASM heap. */
export type Variables = Map<string, TypedArray>

/** Stride of each dimension, in numbers; 0 for dimensions of size 1. */
function stridesOf(shape: Shape): number[] {
  return shape.map((size, i) => (size === 1 ? 0 : shape.slice(i + 1).reduce((a, b) => a * b, 1)))
}

/**
 * The operations over `variables`, for one run with `inputs`: a plain table of operations, therefore long.
 * Every result is a new tensor, so that the caller may dispose of each after its last use.
 */
export function wasmOps(
  heap: Heap,
  variables: Variables,
  inputs: Record<string, { data: TypedArray; shape: Shape }>,
): Ops<tf.Tensor> {
  const { simd } = heap
  const tensors = new HeapTensors(heap)
  const { view, ints, address, make, upload } = tensors
  const own = (x: tf.Tensor) => tf.clone(x)
  const floats = (name: string) => variables.get(name) as Float32Array
  const scalar = (x: tf.Tensor) => view(x)[0]

  const binary = (run: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) => (operands: tf.Tensor[]) =>
    run(operands[0], operands[1])
  const unary = (run: (x: tf.Tensor) => tf.Tensor) => (operands: tf.Tensor[]) => run(operands[0])
  const likeRows = (like: tf.Tensor, values: tf.Tensor, ids: tf.Tensor) =>
    make([like.shape[0], ...values.shape.slice(ids.rank)])

  return {
    constant: (_, { value }, { shape, dtype }) => upload(value, shape, dtype),
    input: (_, { name }, { dtype }) => upload(inputs[name].data, inputs[name].shape, dtype),
    variable: (_, { name }, { shape, dtype }) => upload(variables.get(name)!, shape, dtype),
    lookup: ([ids], { table, scale }, { shape }) => {
      const out = make([...ids.shape, shape[shape.length - 1]])
      kernel.gatherRows(variables.get(table)!, ints(ids), view(out), scale)
      return out
    },
    neg: unary(tf.neg),
    exp: unary(tf.exp),
    log: unary(tf.log),
    sqrt: unary(tf.sqrt),
    rsqrt: unary(tf.rsqrt),
    floor: unary(tf.floor),
    cast: ([x], { dtype }) => tf.cast(x, dtype),
    activation: ([x], { form }) => {
      if (form === 'sigmoid') return tf.sigmoid(x)
      if (form === 'relu') return tf.relu(x)
      const out = make(x.shape)
      activation(form, view(x), view(out))
      return out
    },
    activationGrad: ([x, y, dy], { form }) => {
      const out = make(x.shape)
      if (form === 'sigmoid') simd.sigmoidGrad(address(y), address(dy), address(out), out.size)
      else if (form === 'relu') simd.reluGrad(address(y), address(dy), address(out), out.size)
      else activationGrad(form, view(x), view(y), view(dy), view(out))
      return out
    },
    add: binary(tf.add),
    sub: binary(tf.sub),
    mul: binary(tf.mul),
    div: binary(tf.div),
    maximum: binary(tf.maximum),
    minimum: binary(tf.minimum),
    greater: binary(tf.greater),
    greaterEqual: binary(tf.greaterEqual),
    equal: binary(tf.equal),
    logicalAnd: binary(tf.logicalAnd),
    logicalNot: unary(tf.logicalNot),
    select: ([condition, a, b]) => tf.where(condition, a, b),
    matmul: ([a, b], { transposeA, transposeB }) => product(tensors, a, b, transposeA, transposeB),
    sum: ([x], { axes, keepDims }) => {
      const [first, last] = [axes[0], axes[axes.length - 1]]
      // The general kernel handles axes that are not adjacent.
      if (last - first !== axes.length - 1) return tf.sum(x, [...axes], keepDims)
      const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1)
      const [before, after] = [x.shape.slice(0, first), x.shape.slice(last + 1)]
      const out = make([...before, ...(keepDims ? axes.map(() => 1) : []), ...after])
      kernel.sum(view(x), view(out), size(x.shape.slice(first, last + 1)), size(after))
      return out
    },
    mean: ([x], { axes, keepDims }) => tf.mean(x, [...axes], keepDims),
    max: ([x], { axes, keepDims }) => tf.max(x, [...axes], keepDims),
    argMax: ([x], { axis }) => tf.argMax(x, axis),
    count: ([x], { axes }) =>
      upload(Float32Array.of(axes.reduce((size, axis) => size * x.shape[axis], 1)), [], 'float32'),
    reshape: ([x], { shape }) => tf.reshape(x, [...shape]),
    reshapeLike: ([x, like]) => tf.reshape(x, like.shape),
    broadcastLike: ([x, like]) => {
      const out = make(like.shape, x.dtype as DType)
      const strides = [...new Array<number>(like.rank - x.rank).fill(0), ...stridesOf(x.shape)]
      kernel.copyBlock(view(x), strides, 0, view(out), like.shape)
      return out
    },
    transpose: ([x], { perm }) => tf.transpose(x, [...perm]),
    concat: (parts, { axis }) => tf.concat(parts, axis),
    slice: ([x], { begin, size }) => {
      const out = make(
        size.map((s, i) => (s === -1 ? x.shape[i] - begin[i] : s)),
        x.dtype as DType,
      )
      const strides = stridesOf(x.shape)
      const from = begin.reduce((at, b, i) => at + b * strides[i], 0)
      kernel.copyBlock(view(x), strides, from, view(out), out.shape)
      return out
    },
    pad: ([x], { before, after }) =>
      tf.pad(
        x,
        before.map((b, i) => [b, after[i]]),
      ),
    gather: ([x, ids]) => {
      const out = make([...ids.shape, ...x.shape.slice(1)], x.dtype as DType)
      simd.gatherRows(address(x), address(ids), address(out), ids.size, out.size / Math.max(ids.size, 1))
      return out
    },
    segmentSum: ([values, ids, like]) => {
      const out = likeRows(like, values, ids)
      view(out).fill(0)
      simd.segmentSum(address(values), address(ids), address(out), ids.size, values.size / Math.max(ids.size, 1))
      return out
    },
    segmentMax: ([values, ids, like]) => {
      const out = likeRows(like, values, ids)
      kernel.segmentMax(view(values), ints(ids), view(out))
      return out
    },
    oneHot: ([ids], { depth }) => {
      const out = make([...ids.shape, depth])
      kernel.oneHot(ints(ids), view(out), depth)
      return out
    },
    range: ([like]) =>
      upload(
        Int32Array.from({ length: like.shape[0] }, (_, i) => i),
        [like.shape[0]],
        'int32',
      ),
    softmax: ([x]) => tf.softmax(x),
    softmaxGrad: ([y, dy]) => {
      const out = make(y.shape)
      kernel.softmaxGrad(view(y), view(dy), view(out), y.shape[y.rank - 1])
      return out
    },
    layerNorm: ([x, gamma, beta], { epsilon }) => {
      const out = make(x.shape)
      kernel.layerNorm(view(x), view(gamma), view(beta), view(out), epsilon)
      return out
    },
    layerNormGrad: ([x, gamma, dy], { epsilon }) => {
      const out = [make(x.shape), make(gamma.shape), make(gamma.shape)]
      kernel.layerNormGrad(view(x), view(gamma), view(dy), out.map(view), epsilon)
      return out
    },
    crossEntropy: ([logits, labels]) => {
      const out = [make(labels.shape), make(logits.shape)]
      kernel.crossEntropy(view(logits), ints(labels), out.map(view))
      return out
    },
    uniform: ([like, seed], { salt }) => {
      const out = make(like.shape)
      kernel.uniform(ints(seed), salt, view(out))
      return out
    },
    stopGradient: ([x]) => own(x),
    block: ([x]) => own(x),
    after: ([x]) => own(x),
    part: (parts, { index }) => own(parts[index]),
    assign: ([value], { variable }) => {
      variables.get(variable)!.set(view(value))
      return []
    },
    assignRows: ([ids, rows], { variable }) => {
      const target = floats(variable)
      const from = view(rows)
      const width = from.length / ids.size
      ints(ids).forEach((id, j) => {
        target.set(from.subarray(j * width, (j + 1) * width), id * width)
      })
      return []
    },
    emaUpdate: ([keep], { variable, source }) => {
      update.emaUpdate(floats(variable), floats(source), scalar(keep))
      return []
    },
    sgd: ([gradient, rate, decay], { variable, velocity, momentum, nesterov }) => {
      const numbers = { momentum, nesterov, rate: scalar(rate), decay: decay ? scalar(decay) : 0 }
      update.sgd(floats(variable), velocity === undefined ? undefined : floats(velocity), view(gradient), numbers)
      return []
    },
    adagrad: ([gradient, rate, decay], { variable, accumulator, epsilon }) => {
      const [values, total, numbers] = [floats(variable), floats(accumulator), { rate: scalar(rate), epsilon }]
      update.adagradRows(values, total, update.wholeVariable, view(gradient), numbers, decay && scalar(decay))
      return []
    },
    adam: ([gradient, rate, epsilon, decay], { variable, m, v, beta1, beta2 }) => {
      const arrays = { variable: floats(variable), m: floats(m), v: floats(v) }
      const numbers = { beta1, beta2, rate: scalar(rate), epsilon: scalar(epsilon) }
      update.adamRows(arrays, update.wholeVariable, view(gradient), numbers, decay && scalar(decay))
      return []
    },
    adamRows: ([ids, gradients, rate, epsilon], { variable, m, v, beta1, beta2, l2 }) => {
      const arrays = { variable: floats(variable), m: floats(m), v: floats(v) }
      const numbers = { beta1, beta2, rate: scalar(rate), epsilon: scalar(epsilon) }
      withDistinctRows(tensors, ids, gradients, (distinct, rows) => {
        update.addDecay(rows, distinct, arrays.variable, l2)
        update.adamRows(arrays, distinct, rows, numbers)
      })
      return []
    },
    adagradRows: ([ids, gradients, rate], { variable, accumulator, epsilon, rowwise, l2 }) => {
      const [table, total, numbers] = [floats(variable), floats(accumulator), { rate: scalar(rate), epsilon }]
      const apply = rowwise ? update.rowwiseAdagradRows : update.adagradRows
      withDistinctRows(tensors, ids, gradients, (distinct, rows) => {
        update.addDecay(rows, distinct, table, l2)
        apply(table, total, distinct, rows, numbers)
      })
      return []
    },
  }
}

/** Distinct ids except 0 (padding), in order of appearance, and the sums of their rows of `gradients`. */
function withDistinctRows(
  { simd, view, ints, address, make }: HeapTensors,
  ids: tf.Tensor,
  gradients: tf.Tensor,
  use: (distinct: Int32Array, rows: Float32Array) => void,
): void {
  const width = gradients.size / Math.max(ids.size, 1)
  const slots = make([ids.size], 'int32')
  const distinct = update.distinctIds(ints(ids), ints(slots))
  const sums = make([distinct.length, width])
  view(sums).fill(0)
  simd.segmentSum(address(gradients), address(slots), address(sums), ids.size, width)
  // Slot 0 belongs to padding.
  use(distinct.subarray(1), view(sums).subarray(width))
  slots.dispose()
  sums.dispose()
}

/** Reads a result out of the WASM heap. */
export function download(x: tf.Tensor, { dtype }: Tensor): TypedArray {
  return new arrayOf[dtype](x.dataSync() as unknown as ArrayLike<number>)
}
