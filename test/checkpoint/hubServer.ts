/** A server of models for tests: what `mim` asks of the Hugging Face Hub, honest unless told otherwise. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after } from 'node:test'

export const commit = 'c0ffee'.padEnd(40, '0')
export const repository = 'shop/encoder'
const api = `/api/models/${repository}`

export interface Entry {
  type: unknown
  path: unknown
  size: unknown
  oid: unknown
  lfs?: unknown
  [key: string]: unknown
}

/** What a server does differently. */
export interface Behavior {
  /** Other files than those of the folder. */
  files?: Record<string, Buffer>
  sha?: unknown
  /** Changes the list of files. */
  entries?: (entries: Entry[]) => unknown
  /** Answers in place of the honest server; false: does not. */
  answer?: (path: string, response: ServerResponse, request: IncomingMessage) => boolean
}

export interface HubServer {
  url: string
  behavior: Behavior
  /** Paths that were asked for. */
  asked: string[]
}

/** Serves the files in `folder` as `shop/encoder`; weights are in Git LFS. Ends with the tests of the file. */
export async function hubServer(folder: string): Promise<HubServer> {
  const hub: HubServer = { url: '', behavior: {}, asked: [] }
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://server').pathname)
    hub.asked.push(path)
    if (!hub.behavior.answer?.(path, response, request)) answer(path, response, folder, hub.behavior)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return hub
}

function answer(path: string, response: ServerResponse, folder: string, behavior: Behavior): void {
  const files = filesOf(folder, behavior)
  const bytes = files.get(path.slice(path.lastIndexOf('/') + 1))
  if (path.startsWith(`${api}/revision/`)) {
    json(response, { id: repository, sha: behavior.sha ?? commit })
  } else if (path.startsWith(`${api}/tree/`)) {
    const entries = [...files].map(([name, content]) => entryOf(name, content))
    json(response, behavior.entries ? behavior.entries(entries) : entries)
  } else if (bytes) {
    response.end(bytes)
  } else {
    json(response, { error: `no ${path}` }, 404)
  }
}

function filesOf(folder: string, { files }: Behavior): Map<string, Buffer> {
  const names = readdirSync(folder)
  return new Map(files ? Object.entries(files) : names.map((name) => [name, readFileSync(join(folder, name))]))
}

export function json(response: ServerResponse, content: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(content))
}

const hash = (algorithm: string, ...parts: (string | Buffer)[]) =>
  parts.reduce((sum, part) => sum.update(part), createHash(algorithm)).digest('hex')

/** As the Hub lists a file: the hash of git, and of a file in Git LFS that of its content. */
export function entryOf(path: string, bytes: Buffer): Entry {
  const entry = { type: 'file', path, size: bytes.length, oid: hash('sha1', `blob ${bytes.length}\0`, bytes) }
  if (!/\.(safetensors|bin)$/.test(path)) return entry
  return { ...entry, oid: '0'.repeat(40), lfs: { oid: hash('sha256', bytes), size: bytes.length, pointerSize: 130 } }
}
