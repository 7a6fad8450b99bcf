/** WebAssembly written by hand: a module NAME.wat lies beside NAMEModule.ts, which holds it compiled (`npm run wat`). */

// TypeScript has its types for browsers only.
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

/** What the module exports, of its bytes. */
export const openModule = <T>(bytes: Uint8Array, imports?: object): T =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as T
