/**
 * A running server for tests of the HTTP layer, with the real machinery around it and a store in memory for counters only.
 * Raw sockets are here too, for what no well-behaved client sends.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { TestContext } from 'node:test'
import type { Route } from '../../src/http/route.ts'
import { createHttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import { createLog } from '../../src/observability/log.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { createVault, randomToken } from '../../src/secrets.ts'
import { createCsrf } from '../../src/security/csrf.ts'
import { createSecurityHeaders } from '../../src/security/headers.ts'
import { createNetwork } from '../../src/security/network.ts'

export const vault = createVault(['a root secret for tests, 32 characters'])
export const csrf = createCsrf({ vault, randomToken })

export interface Running {
  readonly issuer: string
  readonly port: number
  readonly lines: Record<string, unknown>[]
  readonly metrics: ReturnType<typeof createMetrics>
  readonly server: ReturnType<typeof createHttpServer>
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Sends bytes as they are and resolves with all that came back once the server closed, or after `quietMs` without a byte. */
  raw(bytes: string, quietMs?: number): Promise<string>
}

export type RunningOptions = Partial<Omit<HttpServerOptions, 'routes'>> & { trustedProxies?: readonly string[] }

/** Starts the server on a free loopback port; it is closed when the test ends. The issuer is `http://licet.test` unless given. */
export async function serve(t: TestContext, routes: readonly Route[], options: RunningOptions = {}): Promise<Running> {
  const lines: Record<string, unknown>[] = []
  const metrics = createMetrics({ withProcess: false })
  const issuer = options.issuer ?? 'http://licet.test'
  const server = createHttpServer({
    issuer,
    routes,
    renderer: {
      render: (view, model, context) =>
        `<!doctype html><title>${view}</title>${inert(JSON.stringify({ model, context }))}`,
    },
    csrf,
    headers: createSecurityHeaders({ issuer }),
    network: createNetwork({ trustedProxies: options.trustedProxies ?? [] }),
    log: createLog({ level: 'debug', write: (line) => lines.push(JSON.parse(line)), now: () => 0 }),
    metrics,
    elapsed: () => performance.now(),
    randomBytes,
    requestLog: 'all',
    showReasons: false,
    ...options,
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  const host = new URL(issuer).host
  return {
    issuer,
    port,
    lines,
    metrics,
    server,
    fetch: (path, init = {}) => send(port, host, path, init),
    raw: (bytes, quietMs) => raw(port, bytes, quietMs),
  }
}

const inert = (text: string): string => text.replaceAll('<', '&lt;')

/** `fetch` cannot set Host: the request goes out by hand and comes back as a Response. */
async function send(port: number, host: string, path: string, init: RequestInit): Promise<Response> {
  const body = typeof init.body === 'string' ? init.body : ''
  const headers = new Headers(init.headers)
  if (!headers.has('host')) headers.set('host', host)
  headers.set('connection', 'close')
  if (init.body !== undefined && !headers.has('content-length'))
    headers.set('content-length', String(Buffer.byteLength(body)))
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return parse(await raw(port, `${init.method ?? 'GET'} ${path} HTTP/1.1\r\n${lines}\r\n${body}`), init.method)
}

/** The first answer in what a socket received. */
export function parse(text: string, method = 'GET'): Response {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [start = '', ...fields] = head.split('\r\n')
  const status = Number(start.split(' ')[1])
  const headers = new Headers()
  for (const field of fields)
    headers.append(field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trim())
  const isEmpty = method === 'HEAD' || [204, 304].includes(status)
  return new Response(isEmpty ? null : rest.join('\r\n\r\n'), { status, headers })
}

export function raw(port: number, bytes: string, quietMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => socket.destroy(), quietMs)
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      received += chunk
      timer.refresh()
    })
    socket.on('error', (error: Error & { code?: string }) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(received)
    })
    socket.write(bytes, 'latin1')
  })
}

/** The status lines of everything that came back. */
export const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
