/**
 * What every request passes before anything looks at what it wants: its id, its address, its place in the URL table, the headers
 * every answer carries, the limits on its size, and the host it was sent to. All of it is synchronous and cheap.
 * Bodies are `body.ts`'s, answers `answer.ts`'s.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../errors.ts'
import type { Surface } from './route.ts'
import { type Router, surfaceOf } from './router.ts'
import type { HttpContext, RequestState } from './server.ts'

/** The longest query in bytes; the contract's cap for authorization requests holds everywhere. */
const MAX_QUERY = 8_192
const MAX_PATH = 4_096
const MAX_HEADER_LINES = 100

/** Asked by machines that do not know the issuer's name: probes, scrapers, proxies that ask about another request. */
const hostFreePaths: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics', '/api/v1/verify'])

export interface Network {
  /** The caller's address in canonical form. */
  addressOf(request: IncomingMessage): string
}

export interface Headers {
  /** Sets what every answer of that surface carries. */
  apply(response: ServerResponse, surface: Surface): void
  linesOf(surface: Surface): readonly (readonly [name: string, value: string])[]
}

export interface ArrivalOptions {
  readonly issuer: string
  readonly router: Router
  readonly network: Network
  readonly headers: Headers
  /** Milliseconds of a monotonic clock. */
  readonly elapsed: () => number
  readonly nextId: () => string
}

/** The state of a request that has just come in; sets its id and its surface's headers on the response. Never throws. */
export function createArrival({ router, network, headers, elapsed, nextId }: ArrivalOptions) {
  return (request: IncomingMessage, response: ServerResponse): RequestState => {
    const authority = toOriginForm(request)
    const url = request.url ?? ''
    const queryAt = url.indexOf('?')
    const path = queryAt < 0 ? url : url.slice(0, queryAt)
    const match = path.length <= MAX_PATH ? router.match(path) : undefined
    const target = match?.place.find(request.method ?? '')
    const surface = target?.surface ?? match?.place.surface ?? surfaceOf(path)
    const requestId = nextId()
    response.setHeader('X-Request-Id', requestId)
    headers.apply(response, surface)
    return {
      requestId,
      ip: network.addressOf(request),
      path,
      query: queryAt < 0 ? '' : url.slice(queryAt + 1),
      authority,
      route: match?.place.pattern ?? 'none',
      surface,
      place: match?.place,
      target,
      params: match?.params ?? {},
      startedAt: elapsed(),
      form: undefined,
      file: undefined,
    }
  }
}

/** Refuses a request that is too large in its head (414, 431), or that was sent to another host than the issuer's (400, 421). */
export function createGate({ issuer }: Pick<ArrivalOptions, 'issuer'>) {
  const { host: ours, protocol } = new URL(issuer)
  const spelled = `${ours}${protocol === 'https:' ? ':443' : ':80'}`
  const isOurs = (host: string): boolean => host === ours || [ours, spelled].includes(host.toLowerCase())
  return (ctx: HttpContext): void => {
    const { req, state } = ctx
    if (state.query.length > MAX_QUERY) throw new AppError('uri_too_long', 'The query is longer than 8 kB.')
    if (state.path.length > MAX_PATH) throw new AppError('uri_too_long', 'The path is longer than 4 kB.')
    if (req.rawHeaders.length > 2 * MAX_HEADER_LINES)
      throw new AppError('headers_too_large', 'The request has more than 100 header lines.')
    if (hasSeveralHosts(req.rawHeaders)) throw new AppError('invalid_request', 'The request names two hosts.')
    if (hostFreePaths.has(state.path) || state.path.startsWith('/api/v1/verify/')) return
    if (!isOurs(state.authority ?? req.headers.host ?? ''))
      throw new AppError('misdirected', 'The request was sent to a host this server does not answer for.')
    // What comes later may build a URL from it: from here on it is the issuer's, whatever case it was written in (HD1).
    req.headers.host = ours
  }
}

/**
 * Hands the protocol engine forwarding headers that say the truth: the issuer's scheme and host and the caller's address,
 * instead of whatever stood in the request (HD2). The engine may then trust them.
 */
export function createPinning(issuer: string) {
  const { host, protocol } = new URL(issuer)
  const scheme = protocol.slice(0, -1)
  return ({ req, state }: HttpContext): void => {
    const { headers } = req
    headers['x-forwarded-proto'] = scheme
    headers['x-forwarded-host'] = host
    headers['x-forwarded-for'] = state.ip
    if (headers.forwarded !== undefined) delete headers.forwarded
  }
}

/** RFC 9112 §3.2.2: an absolute target is accepted, and its authority counts instead of `Host`. The authority, if there is one. */
function toOriginForm(request: IncomingMessage): string | undefined {
  const { url = '' } = request
  if (url.startsWith('/')) return undefined
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)
  if (!authority) return undefined
  const rest = url.slice(authority[0].length)
  request.url = rest.startsWith('/') ? rest : `/${rest}`
  return authority[1]
}

/** RFC 9112 §3.2: a request with two Host lines is refused; node itself would take the first and a proxy perhaps the last. */
export function hasSeveralHosts(rawHeaders: readonly string[]): boolean {
  let seen = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') seen += 1
  }
  return seen > 1
}

/** 16 characters of base64url (96 bits) each, drawn in batches. */
export function createRequestIds(randomBytes: (size: number) => Buffer): () => string {
  const size = 12
  let pool: Buffer = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at >= pool.length) {
      pool = randomBytes(size * 128)
      at = 0
    }
    at += size
    return pool.toString('base64url', at - size, at)
  }
}
