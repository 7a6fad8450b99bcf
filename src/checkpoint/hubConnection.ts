/**
 * Requests to a server that is not trusted: its answers are limited in size, number and time, and its credentials go
 * to no other server.
 */
import type { HubSettings } from './hubSettings.js'

/** What is wrong with a server; `id` of the UserError to report. */
export class HubFault extends Error {
  readonly id: string

  constructor({ id, what }: { id: 'hub-answer' | 'hub-files' | 'hub-space' | 'hub-timeout'; what: string }) {
    super(what)
    this.id = id
  }
}

/** Pages of the list of files; a page has up to 1000. */
const maxAnswers = 100
/** Bytes of all answers of the API. */
const maxAnswerBytes = 64 * 2 ** 20
/** All answers of the API together may take this many times as long as one. */
const maxAnswerTimes = 5
/** Bytes per second below which a download counts as stalled. */
const minSpeed = 1024
/** Statuses of answers that have no body. */
const emptyStatuses = [204, 205, 304]

export class HubConnection {
  private readonly controller = new AbortController()
  private readonly asked = new Set<string>()
  private readonly origin: string
  private received = 0
  private deadline: number | undefined

  constructor(private readonly settings: HubSettings) {
    this.origin = new URL(settings.url).origin
  }

  /** `fetch` for the API: gives a whole answer. @throws HubFault `hub-answer`, `hub-timeout`. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    this.checkAddress(url, init?.method)
    const { answerTimeout } = this.settings
    this.deadline ??= performance.now() + 1000 * answerTimeout * maxAnswerTimes
    const limit = AbortSignal.timeout(Math.max(1, Math.min(1000 * answerTimeout, this.deadline - performance.now())))
    try {
      return await this.wholeAnswer(await this.request(url, limit, init))
    } catch (error) {
      if (!limit.aborted) throw error
      throw new HubFault({ id: 'hub-timeout', what: `no complete answer to ${url.pathname} in ${answerTimeout} s` })
    }
  }

  /**
   * The bytes of a file at `path` below the server, at most `size`.
   * @throws HubFault `hub-files` without the file, `hub-answer` for more bytes, `hub-timeout` if it stalls.
   */
  async *download(path: string, size: number): AsyncGenerator<Uint8Array> {
    const { url, downloadTimeout } = this.settings
    const stalled = new AbortController()
    let [bytes, before] = [0, 0]
    const watch = setInterval(() => {
      if (bytes - before < minSpeed * downloadTimeout) stalled.abort()
      before = bytes
    }, 1000 * downloadTimeout)
    try {
      const headers = { 'Accept-Encoding': 'identity' }
      const { status, body } = await this.request(new URL(`${url}/${path}`), stalled.signal, { headers })
      if (status !== 200) throw new HubFault({ id: 'hub-files', what: `HTTP status ${status} for ${path}` })
      for await (const piece of body ?? []) {
        bytes += piece.length
        if (bytes > size) throw new HubFault({ id: 'hub-answer', what: `${path} is longer than its ${size} bytes` })
        yield piece
      }
    } catch (error) {
      if (!stalled.signal.aborted) throw error
      const what = `less than ${minSpeed} bytes per second of ${path} in ${downloadTimeout} s`
      throw new HubFault({ id: 'hub-timeout', what })
    } finally {
      clearInterval(watch)
      stalled.abort()
    }
  }

  /** Ends all requests. */
  close(): void {
    this.controller.abort()
  }

  /** Pages of a list follow links that the server gives. */
  private checkAddress(url: URL, method = 'GET'): void {
    const refuse = (what: string) => new HubFault({ id: 'hub-answer', what })
    if (url.origin !== this.origin) throw refuse(`the list of files continues on another server, ${url.origin}`)
    if (this.asked.has(`${method} ${url}`)) throw refuse('the list of files leads back to a page that was read')
    this.asked.add(`${method} ${url}`)
    if (this.asked.size > maxAnswers) throw refuse(`the list of files has more than ${maxAnswers} pages`)
  }

  private request(url: URL, limit: AbortSignal, init?: RequestInit): Promise<Response> {
    const headers = new Headers(init?.headers)
    const { authorization } = this.settings
    if (authorization) headers.set('Authorization', authorization)
    // fetch follows redirects, at most 20, and drops the header if they lead to another server.
    return fetch(url, { ...init, headers, signal: AbortSignal.any([this.controller.signal, limit]) })
  }

  private async wholeAnswer({ url, status, headers, body }: Response): Promise<Response> {
    const pieces: Uint8Array[] = []
    for await (const piece of body ?? []) {
      this.received += piece.length
      if (this.received > maxAnswerBytes) {
        throw new HubFault({ id: 'hub-answer', what: `answers of more than ${maxAnswerBytes} bytes` })
      }
      pieces.push(piece)
    }
    const answer = new Response(emptyStatuses.includes(status) ? null : Buffer.concat(pieces), { status, headers })
    // The package reports the address of a refusal.
    return Object.defineProperty(answer, 'url', { value: url })
  }
}
