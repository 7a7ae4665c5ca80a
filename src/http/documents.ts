/**
 * Public documents kept in memory (discovery, published keys): the same bytes for everybody, asked for by every verifier there is.
 * Plain requests for them skip everything that other requests pass, because nothing of it could change the answer; whatever is
 * unusual about a request (query, other host, other method) sends it the long way, where it gets the same answer or its refusal.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Metrics } from '../observability/metrics.ts'
import { type Headers, hasSeveralHosts } from './arrival.ts'
import type { Answer, Route } from './route.ts'

/** A new version is a new object: what is made from one is kept as long as it is. */
export interface Document {
  readonly body: Uint8Array
  /** Quoted. */
  readonly etag: string
  readonly contentType: string
}

/** Long enough to spare a verifier most requests, short against the overlap of two signing keys. */
const CACHED = 'public, max-age=300'

/** CORS for what any origin may read; never with credentials. */
export const crossOriginLines: readonly (readonly [string, string])[] = [
  ['Access-Control-Allow-Origin', '*'],
  [
    'Access-Control-Expose-Headers',
    'WWW-Authenticate, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, DPoP-Nonce, X-Request-Id',
  ],
]

/** The answer to a request that went the long way. */
export function documentAnswer({ body, etag, contentType }: Document): Answer {
  return { kind: 'text', type: contentType, body, headers: { ETag: etag, 'Cache-Control': CACHED } }
}

/** RFC 9110 §13.1.2, weak comparison. */
export function isFresh(wanted: string | undefined, etag: string): boolean {
  if (wanted === undefined) return false
  const plain = etag.replace(/^W\//, '')
  return wanted.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === plain)
}

export interface PublishingOptions {
  readonly routes: readonly Route[]
  readonly issuer: string
  readonly headers: Headers
  readonly nextId: () => string
  readonly elapsed: () => number
  readonly metrics: Pick<Metrics, 'request'>
  readonly requestLog: 'all' | 'failures'
}

/** @returns a function that answers a plain GET of a document and says whether it did. Requests are never logged one by one here. */
export function createPublishing(options: PublishingOptions) {
  const { routes, issuer, headers, nextId, elapsed, metrics, requestLog } = options
  const { host } = new URL(issuer)
  const places = new Map(
    routes.flatMap((route) => (route.document ? [[route.path, { route, document: route.document }]] : [])),
  )
  const linesOf = rememberLines(headers)

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const place = places.get(request.url ?? '')
    if (!place || request.method !== 'GET' || request.headers.host !== host || requestLog === 'all') return false
    if (hasSeveralHosts(request.rawHeaders) || request.rawHeaders.length > 200) return false
    const startedAt = elapsed()
    const document = place.document()
    const isKnown = isFresh(request.headers['if-none-match'], document.etag)
    const lines = linesOf(place.route, document)
    response.writeHead(isKnown ? 304 : 200, ['X-Request-Id', nextId(), ...(isKnown ? lines.known : lines.whole)])
    if (isKnown) response.end()
    else response.end(document.body)
    metrics.request('GET', place.route.path, response.statusCode, (elapsed() - startedAt) / 1000)
    return true
  }
}

interface Lines {
  readonly whole: readonly string[]
  readonly known: readonly string[]
}

/** The header lines of a document, flat as `writeHead` takes them, made once per version and route. */
function rememberLines(headers: Headers): (route: Route, document: Document) => Lines {
  const known = new WeakMap<Document, Map<string, Lines>>()
  return (route, document) => {
    const byPath = known.get(document) ?? new Map<string, Lines>()
    const found = byPath.get(route.path)
    if (found) return found
    const lines = linesFor(headers, route, document)
    known.set(document, byPath.set(route.path, lines))
    return lines
  }
}

function linesFor(headers: Headers, { surface = 'api', isForEveryOrigin }: Route, document: Document): Lines {
  const general = headers.linesOf(surface).filter(([name]) => name !== 'Cache-Control')
  const known = [...general, ['ETag', document.etag], ['Cache-Control', CACHED]]
  if (isForEveryOrigin) known.push(...crossOriginLines.map((line) => [...line]))
  const content = [
    ['Content-Type', document.contentType],
    ['Content-Length', String(document.body.byteLength)],
  ]
  return { known: known.flat(), whole: [...known, ...content].flat() }
}
