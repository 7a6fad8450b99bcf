import { type Shape, type Tensor, variable } from '../ops/index.js'

/** How a parameter starts: drawn from N(0, std²), or filled with one value. */
export type Init = { std: number } | { fill: number } | { eye: number }

export interface ParameterSpec {
  name: string
  shape: Shape
  init: Init
}

/**
 * The parameters of a model, declared where the forward pass reads them: the pass itself is the
 * list of names, shapes and initial values. Names are paths, `layers.0.mlp.fc1.weight`.
 */
export class Parameters {
  constructor(
    readonly prefix = '',
    private readonly declared = new Map<string, ParameterSpec & { tensor: Tensor }>(),
    /** Whether training leaves the parameter of a path as it is. */
    private readonly isFrozen: (path: string) => boolean = () => false,
  ) {}

  /** An empty list of parameters; those that `isFrozen` are read but not trained. */
  static frozenWhere(isFrozen: (path: string) => boolean): Parameters {
    return new Parameters('', new Map(), isFrozen)
  }

  /** The parameters under `name.`. */
  scope(name: string | number): Parameters {
    return new Parameters(`${this.prefix}${name}.`, this.declared, this.isFrozen)
  }

  /** Declares a parameter, or finds it if it was declared before, and reads it. */
  get(name: string, shape: Shape, init: Init): Tensor {
    const path = this.prefix + name
    const known = this.declared.get(path)
    if (known) {
      if (known.shape.join() !== shape.join()) {
        throw new Error(`parameter '${path}' is used as [${shape.join(',')}] and as [${known.shape.join(',')}]`)
      }
      return known.tensor
    }
    const tensor = variable(path, shape)
    this.declared.set(path, { name: path, shape, init, tensor })
    return tensor
  }

  has(path: string): boolean {
    return this.declared.has(path)
  }

  /** All that was declared so far, in order of declaration, with the tensors that read it. */
  list(): (ParameterSpec & { tensor: Tensor })[] {
    return [...this.declared.values()]
  }
  /** Those of `list` that training changes. */
  trainable(): (ParameterSpec & { tensor: Tensor })[] {
    return this.list().filter(({ name }) => !this.isFrozen(name))
  }
}
