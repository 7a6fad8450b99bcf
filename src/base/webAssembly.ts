/** Hand-written WebAssembly: `npm run wat` compiles NAME.wat into NAMEModule.ts in the same folder. */

// TypeScript declares these types for browsers only.
declare global {
  namespace WebAssembly {
    class Module {
      constructor(bytes: Uint8Array)
    }
    class Instance {
      constructor(module: Module, imports?: object)
      exports: unknown
    }
    class Memory {
      constructor(limits: { initial: number; maximum: number; shared: boolean })
      buffer: ArrayBuffer
      grow(pages: number): number
    }
  }
}

/** Bytes per page of memory, as the standard defines it. */
export const pageBytes = 2 ** 16
/** Most pages that a memory can have. */
export const maxPages = 2 ** 16

/** Instantiates a module from its bytes; returns its exports. */
export const openModule = <T>(bytes: Uint8Array, imports?: object): T =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as T
