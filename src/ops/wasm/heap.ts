/** Tensors in the heap of the WASM backend: creation, views, and addresses. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import type { DType, Shape, TypedArray } from '../tensor.js'
import type { Multiply } from './matmul.js'
import type { Simd } from './simd.js'

/** Kernels that compute in the heap of the backend. */
export interface Heap {
  multiply: Multiply
  simd: Simd
  /** Its size now. */
  bytes(): number
}

export class HeapTensors {
  readonly multiply: Multiply
  readonly simd: Simd
  private readonly backend = tf.backend() as unknown as BackendWasm

  constructor({ multiply, simd }: Pick<Heap, 'multiply' | 'simd'>) {
    this.multiply = multiply
    this.simd = simd
  }

  /** View of the values of a tensor in the heap; invalid after the next allocation. */
  readonly view = (x: tf.Tensor) => this.backend.typedArrayFromHeap(x) as Float32Array
  readonly ints = (x: tf.Tensor) => this.backend.typedArrayFromHeap(x) as Int32Array

  /** Address of a tensor in the heap, in bytes. */
  readonly address = (x: tf.Tensor) => this.backend.getMemoryOffset(x.dataId)

  readonly make = (shape: Shape, dtype: DType = 'float32') =>
    tf.engine().makeTensorFromTensorInfo(this.backend.makeOutput([...shape], dtype))

  readonly upload = (data: TypedArray, shape: Shape, dtype: DType) => {
    const out = this.make(shape, dtype)
    ;(this.backend.typedArrayFromHeap(out) as TypedArray).set(data)
    return out
  }
}
