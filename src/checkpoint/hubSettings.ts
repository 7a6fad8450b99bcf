/** Server, credentials, cache and time limits, from the environment variables of Python's huggingface_hub. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'

export interface HubSettings {
  /** Address of the server, without credentials and without a slash at the end. */
  url: string
  /** The header of requests to this server. Other servers do not get it. */
  authorization?: string
  /** Folder of all repositories. */
  cache: string
  /** Seconds in which an answer of the API must be complete. */
  answerTimeout: number
  /** Seconds in which a download must make progress. */
  downloadTimeout: number
  /** Replaces token and password in a text. */
  redact(text: string): string
}

/** Python's default is 10 s, which is too short for servers that first fetch a file themselves. */
const defaultTimeout = 30

/**
 * Reads HF_ENDPOINT (which may contain a user and a password), HF_TOKEN, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME,
 * HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT.
 * @throws UserError `hub-settings` for a malformed address or time.
 */
export function hubSettings(): HubSettings {
  const { origin, pathname, username, password } = endpoint(process.env['HF_ENDPOINT'] || 'https://huggingface.co')
  const token = process.env['HF_TOKEN']?.replace(/\s/g, '')
  const pair = username || password ? Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64') : ''
  // As in Python: the password of the address replaces the token.
  const authorization = pair ? `Basic ${pair}` : token ? `Bearer ${token}` : undefined
  const secret = password || username
  const secrets = [token, pair, secret, decoded(secret)].filter((text): text is string => Boolean(text))
  return {
    url: `${origin}${pathname.replace(/\/+$/, '')}`,
    ...(authorization ? { authorization } : {}),
    cache: cacheFolder(),
    answerTimeout: seconds('HF_HUB_ETAG_TIMEOUT'),
    downloadTimeout: seconds('HF_HUB_DOWNLOAD_TIMEOUT'),
    redact: (text) =>
      secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text.replace(/\/\/[^/\s@]*@/g, '//***@')),
  }
}

function endpoint(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url && /^https?:$/.test(url.protocol)) return url
  // Without its value, which may contain a password.
  throw new UserError({
    id: 'hub-settings',
    where: 'HF_ENDPOINT',
    what: 'not the address of a server',
    expected: 'an address such as https://huggingface.co',
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function cacheFolder(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub')
}

function seconds(name: string): number {
  const text = process.env[name]
  if (!text) return defaultTimeout
  const value = Number(text)
  if (value > 0 && value <= 86_400) return value
  throw new UserError({
    id: 'hub-settings',
    where: name,
    what: `'${text}'`,
    expected: 'seconds, from above 0 to 86400',
  })
}
