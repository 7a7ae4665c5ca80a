/**
 * An https server on loopback that stands for somebody else's: it keeps what it was sent and answers as the test says.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testAuthority, testCertificate, testKey } from './certificates.ts'
import { eventually } from './ports.ts'

export interface Delivery {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type Reply = (
  delivery: Delivery,
) => Promise<{ status?: number; body?: unknown }> | { status?: number; body?: unknown }

export interface Receiver {
  readonly url: string
  readonly deliveries: Delivery[]
  /** May be replaced at any time. */
  reply: Reply
  /** The first delivery that fits, once it has come. */
  next(fits: (delivery: Delivery) => boolean): Promise<Delivery>
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer({ cert: testCertificate, key: testKey })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const deliveries: Delivery[] = []
  const receiver: Receiver = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliveries,
    reply: () => ({}),
    next: (fits) => eventually('the receiver gets it', () => deliveries.find(fits)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  server.on('request', async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const delivery = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
    deliveries.push(delivery)
    const answer = await receiver.reply(delivery)
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body))
  })
  return receiver
}

/** Configuration that lets the server reach receivers. */
export function reachReceivers(): { outbound: object } {
  const directory = mkdtempSync(join(tmpdir(), 'licet-authority-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'authority.pem')
  writeFileSync(file, testAuthority)
  return { outbound: { allow_networks: ['127.0.0.0/8'], ca_file: file } }
}
