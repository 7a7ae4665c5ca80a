/**
 * One request and its answer over a connection to addresses that were checked before. TLS and `Host` still see the name; the name is
 * not resolved again. Answers are read whole, up to a cap, and never unpacked or followed. Used by `outbound.ts` only.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'

export interface Exchange {
  readonly send: (url: URL, options: RequestOptions & { servername?: string }) => ClientRequest
  /** Canonical, all of them allowed. */
  readonly addresses: readonly string[]
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** The answer with its whole body. Rejects on any failure, on a body beyond the cap and on a compressed one. */
export async function exchange(sent: Request, plan: Exchange): Promise<Response> {
  const url = new URL(sent.url)
  const body = sent.body === null ? undefined : Buffer.from(await sent.arrayBuffer())
  const incoming = await open(url, sent, body, plan)
  const bytes = await readCapped(incoming, plan)
  const status = incoming.statusCode ?? 0
  if (status < 200 || status > 599) throw new Error(`the answer has status ${status}`)
  const isEmpty = [204, 205, 304].includes(status)
  return new Response(isEmpty ? null : new Uint8Array(bytes), { status, headers: headersOf(incoming) })
}

function open(url: URL, sent: Request, body: Buffer | undefined, plan: Exchange): Promise<IncomingMessage> {
  const headers: Record<string, string> = Object.fromEntries(sent.headers)
  // What is asked for is never packed, so nothing small unfolds into something large; nor do hop-by-hop headers go out.
  for (const name of ['host', 'connection', 'transfer-encoding', 'content-length', 'expect', 'upgrade', 'te'])
    delete headers[name]
  headers['accept-encoding'] = 'identity'
  headers['connection'] = 'close'
  if (body) headers['content-length'] = String(body.length)
  const isName = isIP(url.hostname.replace(/^\[(.*)\]$/, '$1')) === 0
  return new Promise((resolve, reject) => {
    const request = plan.send(url, {
      method: sent.method,
      headers,
      lookup: lookupAmong(plan.addresses),
      signal: plan.signal,
      maxHeaderSize: 16_384,
      ...(isName ? { servername: url.hostname } : {}),
    })
    request.once('response', resolve)
    request.once('error', reject)
    request.once('upgrade', (_response, socket) => socket.destroy())
    request.end(body)
  })
}

/** Answers node's question for an address with the checked ones, whatever name it asks for. */
function lookupAmong(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return (_hostname, options, callback) => {
    const [first] = all
    if (options.all) callback(null, all)
    else if (first) callback(null, first.address, first.family)
    else callback(new Error('no address'), '', 0)
  }
}

function readCapped(incoming: IncomingMessage, { maxBytes, signal }: Exchange): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (reason: string): void => {
      incoming.destroy()
      reject(new Error(reason))
    }
    const encoding = incoming.headers['content-encoding']
    if (encoding && encoding !== 'identity') return refuse('the answer is compressed')
    if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return refuse('the answer is too large')
    const chunks: Buffer[] = []
    let size = 0
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) refuse('the answer is too large')
      else chunks.push(chunk)
    })
    incoming.once('end', () => resolve(Buffer.concat(chunks)))
    incoming.once('error', reject)
    incoming.once('close', () => reject(new Error('the answer ended early')))
    signal.addEventListener('abort', () => refuse('the deadline has passed'), { once: true })
  })
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, values] of Object.entries(incoming.headersDistinct))
    for (const value of values ?? []) headers.append(name, value)
  return headers
}
