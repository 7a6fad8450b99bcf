import { type Shape, type Tensor, variable } from '../ops/index.js'

/** Initial value of a parameter: drawn from N(0, std²), filled with one value, or `eye` on the diagonals. */
export type Init = { std: number } | { fill: number } | { eye: number }

export interface ParameterSpec {
  name: string
  shape: Shape
  init: Init
}

/**
 * The parameters of a model. The forward pass declares each one where it reads it, so the pass itself lists names,
 * shapes and initial values. Names are paths such as `layers.0.mlp.fc1.weight`.
 */
export class Parameters {
  constructor(
    readonly prefix = '',
    private readonly declared = new Map<string, ParameterSpec & { tensor: Tensor }>(),
    /** Whether training does not change the parameter of a path. */
    private readonly isFrozen: (path: string) => boolean = () => false,
  ) {}

  /** An empty list of parameters; those for which `isFrozen` returns true are not trained. */
  static frozenWhere(isFrozen: (path: string) => boolean): Parameters {
    return new Parameters('', new Map(), isFrozen)
  }

  /** The parameters under `name.`. */
  scope(name: string | number): Parameters {
    return new Parameters(`${this.prefix}${name}.`, this.declared, this.isFrozen)
  }

  /** Reads a parameter; the first call declares it. */
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

  /** All parameters declared so far, in order of declaration, with the tensors that read them. */
  list(): (ParameterSpec & { tensor: Tensor })[] {
    return [...this.declared.values()]
  }
  /** The parameters of `list` that training changes. */
  trainable(): (ParameterSpec & { tensor: Tensor })[] {
    return this.list().filter(({ name }) => !this.isFrozen(name))
  }
}
