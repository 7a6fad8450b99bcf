/** `node wat.js` compiles the modules that are written as text, for `src` to hold. */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import wabt from 'wabt'
import { root } from './fixtures.js'

export const modules = ['data/vectors/search', 'data/pictures/resample', 'ops/wasm/simd']

const lineOfText = 100

export const sourceOf = (module: string) => `${root}src/${module}Module.ts`

/** The source that holds `src/{module}.wat` compiled. */
export async function compiled(module: string): Promise<string> {
  const name = basename(module)
  const text = readFileSync(`${root}src/${module}.wat`, 'utf8')
  const { buffer } = (await wabt()).parseWat(`${name}.wat`, text, { simd: true, threads: true }).toBinary({})
  const lines = Buffer.from(buffer)
    .toString('base64')
    .match(new RegExp(`.{1,${lineOfText}}`, 'g'))!
  return [
    `/** \`${name}.wat\` compiled to WebAssembly, in base64; a test holds the two together. */`,
    `export const ${name}Module =`,
    `${lines.map((line) => `  '${line}'`).join(' +\n')}\n`,
  ].join('\n')
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const module of modules) writeFileSync(sourceOf(module), await compiled(module))
}
