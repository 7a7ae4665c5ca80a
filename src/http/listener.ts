/**
 * The node:http server under everything: limits against slow and oversized clients (DO4, DO5), answers to what is not HTTP,
 * and the drain. What a well-formed request means is `server.ts`'s.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface ListenerLimits {
  /** Until the last header line has come. */
  readonly headersTimeoutMs: number
  /** Until the whole request has come. */
  readonly requestTimeoutMs: number
  /** An idle connection is kept this long. */
  readonly keepAliveMs: number
  /** A connection on which nothing moves, in either direction, is cut. */
  readonly stallMs: number
  /** How often slow requests are looked for. */
  readonly checkMs: number
  readonly maxHeaderBytes: number
  readonly maxConnections: number
  /** How long a drain waits for requests in flight. */
  readonly drainMs: number
}

export const standardLimits: ListenerLimits = {
  headersTimeoutMs: 8_000,
  requestTimeoutMs: 25_000,
  keepAliveMs: 5_000,
  stallMs: 60_000,
  checkMs: 1_000,
  maxHeaderBytes: 16_384,
  maxConnections: 10_000,
  drainMs: 10_000,
}

export interface Listener {
  /** Resolves when it listens; rejects when it cannot. Port 0 picks a free one. */
  listen(address: { host: string; port: number }): Promise<AddressInfo>
  /** Stops accepting, lets requests in flight finish for at most `drainMs`, then cuts what is left. */
  close(): Promise<void>
  /** True from the first call of `close`: readiness must fail. */
  isDraining(): boolean
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void

/** @param limits those that differ from `standardLimits`. */
export function createListener(handle: Handle, limits: Partial<ListenerLimits> = {}): Listener {
  const limit = { ...standardLimits, ...limits }
  const sockets = new Set<Socket>()
  let draining = false
  let closed: Promise<void> | undefined
  const server = createServer(
    {
      headersTimeout: limit.headersTimeoutMs,
      requestTimeout: limit.requestTimeoutMs,
      keepAliveTimeout: limit.keepAliveMs,
      connectionsCheckingInterval: limit.checkMs,
      maxHeaderSize: limit.maxHeaderBytes,
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
    },
    handle,
  )
  server.maxConnections = limit.maxConnections
  server.setTimeout(limit.stallMs)
  server.on('clientError', answerBadRequest)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  const drain = (): void => {
    server.closeIdleConnections()
    // A connection that was opened and never used counts as busy for node: it has nothing to finish.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  const closeSlowly = (): Promise<void> =>
    new Promise((resolve) => {
      const sweep = setInterval(drain, 25)
      const deadline = setTimeout(() => server.closeAllConnections(), limit.drainMs)
      server.close(() => {
        clearInterval(sweep)
        clearTimeout(deadline)
        resolve()
      })
      drain()
    })

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port, backlog: 1024 }, () => {
          server.off('error', reject)
          resolve(server.address() as AddressInfo)
        })
      }),
    close: () => {
      draining = true
      closed ??= closeSlowly()
      return closed
    },
    isDraining: () => draining,
  }
}

const badRequests: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'headers_too_large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Content Too Large', 'payload_too_large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'invalid_request'],
}

/** What came is not HTTP, too large or too slow: one fixed answer with nothing of the request in it, and the end of the connection. */
function answerBadRequest(error: Error & { code?: string }, socket: NodeJS.WritableStream & Partial<Socket>): void {
  if (error.code === 'ECONNRESET' || !socket.writable || (socket.bytesWritten ?? 0) > 0) {
    socket.destroy?.()
    return
  }
  const [status, title, code] = badRequests[error.code ?? ''] ?? [400, 'Bad Request', 'invalid_request']
  const body = JSON.stringify({ type: 'about:blank', title, status, code })
  const head = `HTTP/1.1 ${status} ${title}\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff`
  const type = `Content-Type: application/problem+json\r\nContent-Length: ${body.length}`
  socket.end(`${head}\r\n${type}\r\n\r\n${body}`, () => socket.destroy?.())
}
