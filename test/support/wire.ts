/**
 * One HTTP request to any process of a server with the issuer's Host, which `fetch` cannot set. Nothing is followed or corrected.
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface Sending {
  /** Which process: `http://127.0.0.1:port`. The issuer when absent. */
  readonly origin?: string
  /** An array sends a header several times. */
  readonly headers?: Readonly<Record<string, string | string[]>>
}

export function sendOnWire(
  issuer: string,
  method: string,
  path: string,
  { origin = issuer, headers = {}, body }: Sending & { readonly body?: string | Buffer } = {},
): Promise<Reply> {
  const { hostname, port } = new URL(origin)
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        // The servers of the tests listen on IPv4 only; looking both up costs time.
        hostname: hostname === 'localhost' ? '127.0.0.1' : hostname,
        port,
        method,
        path,
        headers: { host: new URL(issuer).host, ...length, ...headers },
      },
      (incoming) => {
        const parts: Buffer[] = []
        incoming.on('data', (part: Buffer) => parts.push(part))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const text = Buffer.concat(parts).toString()
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The headers of a reply as `fetch` would give them. */
export function headersOf({ headers }: Reply): Headers {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one]),
  )
  return new Headers(pairs)
}
