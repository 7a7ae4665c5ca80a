/**
 * A host of client ID metadata documents over TLS, on loopback: what a test publishes is served, everything else is not found.
 * `outbound` is the configuration with which a server may fetch from it.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testAuthority, testCertificate, testKey } from './certificates.ts'
import { WEB_CALLBACK } from './mcp-client.ts'

export interface Documents {
  readonly origin: string
  readonly outbound: { readonly allow_networks: readonly string[]; readonly ca_file: string }
  /** How often anything was asked for since the start. */
  fetches(): number
  /** Publishes the document of a public web client, changed by `more`, and returns its address. */
  publish(path: string, more?: object, headers?: Record<string, string>): string
  /** Answers with exactly that. */
  serve(path: string, answer: { status?: number; body?: string; headers?: Record<string, string> }): string
  remove(path: string): void
  /** What the last request for that path carried. */
  asked(path: string): NodeJS.Dict<string | string[]> | undefined
  close(): Promise<void>
}

export async function startDocuments(): Promise<Documents> {
  const answers = new Map<string, { status: number; body: string; headers: Record<string, string> }>()
  const asked = new Map<string, NodeJS.Dict<string | string[]>>()
  let fetches = 0
  const server = createServer({ cert: testCertificate, key: testKey }, (request, response) => {
    fetches += 1
    const path = request.url ?? ''
    asked.set(path, request.headers)
    const { status, headers, body } = answers.get(path) ?? { status: 404, headers: {}, body: '{}' }
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  const ca = join(mkdtempSync(join(tmpdir(), 'licet-ca-')), 'ca.pem')
  writeFileSync(ca, testAuthority)
  const serve: Documents['serve'] = (path, { status = 200, body = '', headers = {} }) => {
    answers.set(path, { status, body, headers: { 'content-type': 'application/json', ...headers } })
    return origin + path
  }
  return {
    origin,
    outbound: { allow_networks: ['127.0.0.0/8', '::1/128'], ca_file: ca },
    fetches: () => fetches,
    serve,
    publish(path, more = {}, headers = {}) {
      const document = {
        client_id: origin + path,
        client_name: 'Documented client',
        redirect_uris: [WEB_CALLBACK],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        ...more,
      }
      return serve(path, { body: JSON.stringify(document), headers })
    },
    remove: (path) => void answers.delete(path),
    asked: (path) => asked.get(path),
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}
