/**
 * Another web site, on an origin of its own: an app that receives people, or an attacker's page. It notes every request and answers what the
 * test lays down for a path.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SiteRequest {
  readonly method: string
  readonly url: URL
  readonly body: string
  readonly referer: string | undefined
}

export interface OtherSite {
  readonly origin: string
  readonly requests: SiteRequest[]
  /** HTML for a path, or a redirect when it begins with `http`. */
  readonly pages: Map<string, string>
  /** The requests to a path so far. */
  to(path: string): SiteRequest[]
  close(): Promise<void>
}

/** @param host `127.0.0.1` and `localhost` are two sites for a browser. */
export async function startSite(host: '127.0.0.1' | 'localhost' = '127.0.0.1'): Promise<OtherSite> {
  const requests: SiteRequest[] = []
  const pages = new Map<string, string>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const url = new URL(request.url ?? '/', origin)
      if (url.pathname === '/favicon.ico') return void response.writeHead(204).end()
      requests.push({ method: request.method ?? '', url, body, referer: request.headers.referer })
      const page = pages.get(url.pathname)
      if (page?.startsWith('http')) return void response.writeHead(302, { location: page }).end()
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(page ?? '<!doctype html><title>nothing</title>')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://${host}:${(server.address() as AddressInfo).port}`
  return {
    origin,
    requests,
    pages,
    to: (path) => requests.filter(({ url }) => url.pathname === path),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
