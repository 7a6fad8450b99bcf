/** Operations that change variables. */
import type { Ops } from '../tensor.js'
import { flag, real, type } from './graph.js'
import type { ProgramWriter } from './program.js'

type Update = 'assign' | 'assignRows' | 'emaUpdate' | 'adam' | 'sgd' | 'adagrad' | 'adamRows' | 'adagradRows'

/** The updates as TensorFlow nodes: a plain table of operations, therefore long. */
export function updateOps(w: ProgramWriter): Pick<Ops<string>, Update> {
  return {
    assign: ([value], { variable }) => {
      const { dtype } = w.graph.variable(variable)
      // A variable keeps the memory that it is assigned, and a worker thread of TensorFlow frees it later. Fed memory
      // belongs to JavaScript, which may be entered only from its own thread: therefore a copy.
      const own = w.emit('DeepCopy', [value], { T: type(dtype) })
      return w.update(variable, 'AssignVariableOp', [own], { dtype: type(dtype) })
    },
    assignRows: ([ids, rows], { variable }, { inputs }) => {
      const stored = w.cast(rows, inputs[1].dtype, w.graph.variable(variable).dtype)
      return w.scatter('ResourceScatterUpdate', variable, ids, stored)
    },
    emaUpdate: ([keep], { variable, source }) => {
      const gap = w.float('Sub', w.current(variable), w.current(source))
      return w.subtract(variable, w.float('Mul', gap, w.float('Sub', w.graph.float(1), keep)))
    },
    adam: ([gradient, rate, epsilon, decay], { variable, m, v, beta1, beta2 }) => {
      const { graph } = w
      const zero = graph.float(0)
      // With both powers 0 TensorFlow applies `rate` unchanged: it already contains the bias correction.
      const inputs = [
        graph.handle(m),
        graph.handle(v),
        zero,
        zero,
        rate,
        graph.float(beta1),
        graph.float(beta2),
        epsilon,
        afterDecay(w, variable, gradient, decay),
      ]
      return w.update(variable, 'ResourceApplyAdam', inputs, { T: type('float32') })
    },
    sgd: ([gradient, rate, decay], { variable, velocity, momentum, nesterov }) => {
      const ready = afterDecay(w, variable, gradient, decay)
      const attr = { T: type('float32') }
      if (velocity === undefined) return w.update(variable, 'ResourceApplyGradientDescent', [rate, ready], attr)
      const inputs = [w.graph.handle(velocity), rate, ready, w.graph.float(momentum)]
      return w.update(variable, 'ResourceApplyMomentum', inputs, { ...attr, use_nesterov: flag(nesterov) })
    },
    adagrad: ([gradient, rate, decay], { variable, accumulator, epsilon }) => {
      const ready = afterDecay(w, variable, gradient, decay)
      const inputs = [w.graph.handle(accumulator), rate, w.graph.float(epsilon), ready]
      return w.update(variable, 'ResourceApplyAdagradV2', inputs, { T: type('float32') })
    },
    adamRows: ([ids, gradients, rate, epsilon], { variable, m, v, beta1, beta2, l2 }) => {
      if (w.graph.kernels) {
        const inputs = [w.graph.handle(m), w.graph.handle(v), ids, gradients, rate, epsilon]
        const keep = { keep_m: real(beta1), take_m: real(1 - beta1), keep_v: real(beta2), take_v: real(1 - beta2) }
        return w.update(variable, 'MimAdamRows', inputs, { ...keep, l2: real(l2) })
      }
      const [distinct, gradient] = distinctRows(w, variable, ids, gradients, l2)
      const blend = (old: string, keep: number, fresh: string) =>
        w.float('AddV2', w.scale(w.rowsOf(old, distinct), keep), w.scale(fresh, 1 - keep))
      const newM = blend(m, beta1, gradient)
      const newV = blend(v, beta2, w.float('Square', gradient))
      const quotient = w.float('RealDiv', newM, w.float('AddV2', w.float('Sqrt', newV), epsilon))
      const after = [
        w.scatter('ResourceScatterUpdate', m, distinct, newM),
        w.scatter('ResourceScatterUpdate', v, distinct, newV),
      ]
      const last = w.scatter('ResourceScatterSub', variable, distinct, w.float('Mul', quotient, rate))
      return w.emit(
        'NoOp',
        [last, ...after].map((name) => `^${name}`),
      )
    },
    adagradRows: ([ids, gradients, rate], { variable, accumulator, epsilon, rowwise, l2 }) => {
      const [distinct, gradient] = distinctRows(w, variable, ids, gradients, l2)
      const square = w.float('Square', gradient)
      const addend = rowwise ? w.reduce('Mean', square, [1], true) : square
      const total = w.float('AddV2', w.rowsOf(accumulator, distinct), addend)
      const root = w.float('AddV2', w.float('Sqrt', total), w.graph.float(epsilon))
      const move = w.float('Mul', w.float('RealDiv', gradient, root), rate)
      const kept = w.scatter('ResourceScatterUpdate', accumulator, distinct, total)
      const last = w.scatter('ResourceScatterSub', variable, distinct, move)
      return w.emit('NoOp', [`^${last}`, `^${kept}`])
    },
  }
}

/** The `gradient` of an update of `variable`, available after weight decay by the share `decay`, if any. */
function afterDecay(w: ProgramWriter, variable: string, gradient: string, decay: string | undefined): string {
  if (!decay) return gradient
  const shrunk = w.subtract(variable, w.float('Mul', w.current(variable), decay))
  return w.emit('Identity', [gradient, `^${shrunk}`], { T: type('float32') })
}

/** Distinct ids, and for each the sum of its gradient rows plus the L2 term; zero for the padding row. */
function distinctRows(
  w: ProgramWriter,
  variable: string,
  ids: string,
  gradients: string,
  l2: number,
): [string, string] {
  const { shape } = w.graph.variable(variable)
  const flat = w.reshape(ids, w.graph.ints([-1]), 'int32')
  const unique = w.emit('Unique', [flat], { T: type('int32'), out_idx: type('int32') })
  const count = w.emit('Size', [unique], { T: type('int32'), out_type: type('int32') })
  const rows = w.reshape(gradients, w.graph.ints([-1, ...shape.slice(1)]), 'float32')
  let gradient = w.segment('UnsortedSegmentSum', rows, `${unique}:1`, count)
  if (l2 > 0) gradient = w.float('AddV2', gradient, w.scale(w.rowsOf(variable, unique), l2))
  const moving = w.emit('NotEqual', [unique, w.graph.int(0)], {
    T: type('int32'),
    incompatible_shape_error: flag(true),
  })
  const column = w.reshape(w.cast(moving, 'bool', 'float32'), w.graph.ints([-1, 1]), 'float32')
  return [unique, w.float('Mul', gradient, column)]
}
